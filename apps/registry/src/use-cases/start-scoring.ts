import { randomUUID } from 'node:crypto';
import { DomainError, events } from '@headrace/contracts';
import type { StartScoringRequest, StartScoringResponse } from '@headrace/contracts/proto/registry/v1/registry_service';
import { DefinitionReader } from '@headrace/definition-store';
import { nowMicros } from '@headrace/event-time';
import { UNIT_OF_WORK, type Transaction, type UnitOfWork } from '@headrace/messaging';
import { Inject, Injectable } from '@nestjs/common';
import { appendAudit } from '../database/audit.repository';
import { EndpointsRepository } from '../database/endpoints.repository';
import { keepRequest, requestedBefore } from '../database/requested-jobs.repository';
import { trainedOf, VersionsRepository } from '../database/versions.repository';
import { RegistryPublisher } from '../events-out/registry-publisher';
import { takeDecisionLock } from './decision-lock';
import { validatedVersion } from './validated-version';

const JOB_ID = /^[A-Za-z0-9][A-Za-z0-9._-]{0,99}$/;

/** A person has a dataset version scored: which version may do it is decided here, the feature store does it. */
@Injectable()
export class StartScoring {
  constructor(
    @Inject(UNIT_OF_WORK) private readonly work: UnitOfWork,
    private readonly versions: VersionsRepository,
    private readonly endpoints: EndpointsRepository,
    private readonly definitions: DefinitionReader,
    private readonly publisher: RegistryPublisher,
  ) {}

  async run(request: StartScoringRequest, actor: string): Promise<StartScoringResponse> {
    checkRequest(request);
    const { jobId: given, ...asked } = request;
    const jobId = given === '' ? randomUUID() : given;
    return this.work.run(async (transaction) => {
      await takeDecisionLock(transaction);
      const before = await requestedBefore(transaction, jobId, asked);
      if (before && !before.same) {
        const message = `job_id: "${jobId}" was given to another request before: choose another`;
        throw new DomainError('precondition', 'job_id_taken', message);
      }
      // An endpoint's champion may have changed since: the job goes on with the one it began with.
      if (before) return { jobId, model: before.model, version: before.version, known: true };
      const { model, version } = await this.wanted(transaction, request);
      const row = await validatedVersion(this.versions, transaction, model, version);
      const { plan, signature, modelArtifact } = trainedOf(row);
      if (!signature || signature.features.length === 0) {
        const message = `version ${version} of ${model} has no feature columns: it can be asked by tensor alone`;
        throw new DomainError('precondition', 'no_features', message);
      }
      this.checkStream(plan, request.stream);
      const { endpoint, stream, datasetVersion } = request;
      const { eventId } = await this.publisher.publish(
        transaction,
        events.ScoringRequested,
        {
          ...{ jobId, model, version, endpoint, modelArtifact, signature, plan, stream, datasetVersion },
          requestedBy: actor,
        },
        row.validatedEvent,
      );
      await keepRequest(transaction, { jobId, kind: 'scoring', asked, model, version, eventId });
      await appendAudit(transaction, {
        atMicros: nowMicros(),
        actor,
        action: 'scoring.requested',
        subject: `Model/${model}/${version}`,
        detail: { jobId, endpoint, stream, datasetVersion, event: eventId },
      });
      return { jobId, model, version, known: false };
    });
  }

  private async wanted(
    transaction: Transaction,
    { endpoint, model, version }: StartScoringRequest,
  ): Promise<{ readonly model: string; readonly version: number }> {
    if (endpoint === '') return { model, version };
    const { row, state } = await this.endpoints.load(transaction, endpoint);
    if (row) return { model: row.model, version: state.champion };
    if (!this.definitions.get('Endpoint', endpoint)) {
      throw new DomainError('not-found', 'unknown_endpoint', `endpoint: there is no Endpoint "${endpoint}"`);
    }
    throw new DomainError('precondition', 'nothing_deployed', `endpoint "${endpoint}" has nothing deployed yet`);
  }

  private checkStream(plan: string, stream: string): void {
    const definition = this.definitions.get('TrainingPlan', plan)?.definition;
    if (!definition) {
      const message = `TrainingPlan "${plan}", which made the version, is unknown: nobody can say what a row's entities are`;
      throw new DomainError('precondition', 'unknown_plan', message);
    }
    const spine = definition.spec.spine.stream;
    if (stream === spine) return;
    const message = `stream: "${stream}" has no rows to score: expected "${spine}", the spine of TrainingPlan "${plan}"`;
    throw new DomainError('invalid', 'not_the_spine', message);
  }
}

function checkRequest({ jobId, endpoint, model, version, stream, datasetVersion }: StartScoringRequest): void {
  const invalid = (code: string, message: string): DomainError => new DomainError('invalid', code, message);
  if (jobId !== '' && !JOB_ID.test(jobId)) {
    throw invalid(
      'bad_job_id',
      'job_id: expected 1 to 100 letters, digits, ".", "_" or "-", the first a letter or digit',
    );
  }
  const named = model !== '' || version !== 0;
  if (endpoint === '' && (model === '' || version < 1)) {
    throw invalid('version_missing', 'expected either endpoint, or model and version (1, 2, 3 …)');
  }
  if (endpoint !== '' && named) {
    throw invalid('version_twice', 'endpoint says which version scores: expected no model and version beside it');
  }
  if (stream === '') throw invalid('stream_missing', 'stream: expected the stream whose dataset version is scored');
  if (datasetVersion < 0)
    throw invalid('bad_dataset_version', 'dataset_version: expected 1, 2, 3 … or 0 for the newest');
}
