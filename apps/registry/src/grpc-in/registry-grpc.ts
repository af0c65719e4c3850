import { DomainError } from '@headrace/contracts';
import { EndpointChanged } from '@headrace/contracts/proto/registry/v1/registry_events';
import {
  RegistryServiceService,
  type ControlRolloutRequest,
  type ControlRolloutResponse,
  type GetEndpointRequest,
  type GetEndpointResponse,
  type ListAuditEntriesRequest,
  type ListAuditEntriesResponse,
  type ListEndpointsRequest,
  type ListEndpointsResponse,
  type StartRolloutRequest,
  type StartRolloutResponse,
  type StartScoringRequest,
  type StartScoringResponse,
  type ListVersionsRequest,
  type ListVersionsResponse,
  type ModelVersion,
  type RegistryServiceServer,
  type TraceEventRequest,
  type TraceEventResponse,
  type WaiveGatesRequest,
  type WaiveGatesResponse,
} from '@headrace/contracts/proto/registry/v1/registry_service';
import { DefinitionReader } from '@headrace/definition-store';
import { grpcService, type CallContext, type GrpcService, type UnaryMethods } from '@headrace/grpc';
import { Injectable } from '@nestjs/common';
import { AuditRepository } from '../database/audit.repository';
import { EndpointsRepository } from '../database/endpoints.repository';
import { EventIndexRepository } from '../database/event-index.repository';
import type { AliasRow, ModelVersionRow } from '../database/version.table';
import { gatesOf, trainedOf, VersionsRepository } from '../database/versions.repository';
import { ControlRollout } from '../use-cases/control-rollout';
import { gateResult } from '../use-cases/conclude-gates';
import { StartRollout } from '../use-cases/start-rollout';
import { StartScoring } from '../use-cases/start-scoring';
import { WaiveGates, WAIVER_ROLE } from '../use-cases/waive-gates';

const DEFAULT_AUDIT_LIMIT = 100;
const MAX_AUDIT_LIMIT = 1_000;
const MAX_AUDIT_SUBJECTS = 20;

@Injectable()
export class RegistryGrpc implements UnaryMethods<RegistryServiceServer> {
  constructor(
    private readonly versions: VersionsRepository,
    private readonly endpoints: EndpointsRepository,
    private readonly audit: AuditRepository,
    private readonly index: EventIndexRepository,
    private readonly definitions: DefinitionReader,
    private readonly waive: WaiveGates,
    private readonly control: ControlRollout,
    private readonly start: StartRollout,
    private readonly scoring: StartScoring,
  ) {}

  asService(): GrpcService {
    return grpcService<RegistryServiceServer>(RegistryServiceService, this, {
      listVersions: 'authenticated',
      waiveGates: [WAIVER_ROLE],
      getEndpoint: 'authenticated',
      listEndpoints: 'authenticated',
      controlRollout: ['operator'],
      startRollout: ['operator'],
      startScoring: ['operator', 'data-scientist'],
      listAuditEntries: 'authenticated',
      traceEvent: 'authenticated',
    });
  }

  async listVersions({ model }: ListVersionsRequest): Promise<ListVersionsResponse> {
    const { versions, aliases } = await this.versions.list(model);
    if (versions.length === 0 && !this.definitions.get('Model', model)) {
      throw new DomainError('not-found', 'unknown_model', `model "${model}" is unknown`);
    }
    return { versions: versions.map((row) => versionMessage(row, aliases)) };
  }

  waiveGates(request: WaiveGatesRequest, context: CallContext): Promise<WaiveGatesResponse> {
    return this.waive.run(request, subjectOf(context));
  }

  async getEndpoint({ endpoint }: GetEndpointRequest): Promise<GetEndpointResponse> {
    const found = await this.endpoints.withHistory(endpoint);
    if (!found) throw new DomainError('not-found', 'unknown_endpoint', `endpoint "${endpoint}" has nothing deployed`);
    const history = found.history.map(({ change, atMicros, eventId }) => ({
      change: EndpointChanged.fromJSON(change),
      atMicros,
      eventId,
    }));
    return { desired: found.desired, history };
  }

  async listEndpoints(_request: ListEndpointsRequest): Promise<ListEndpointsResponse> {
    return { endpoints: await this.endpoints.list() };
  }

  controlRollout(request: ControlRolloutRequest, context: CallContext): Promise<ControlRolloutResponse> {
    return this.control.run(request, subjectOf(context));
  }

  startRollout(request: StartRolloutRequest, context: CallContext): Promise<StartRolloutResponse> {
    return this.start.run(request, subjectOf(context));
  }

  startScoring(request: StartScoringRequest, context: CallContext): Promise<StartScoringResponse> {
    return this.scoring.run(request, subjectOf(context));
  }

  async listAuditEntries(request: ListAuditEntriesRequest): Promise<ListAuditEntriesResponse> {
    const { afterSequence, limit, subjects } = request;
    if (limit < 0 || limit > MAX_AUDIT_LIMIT || afterSequence < 0) {
      const message = `limit: expected 1 to ${MAX_AUDIT_LIMIT} (0 = ${DEFAULT_AUDIT_LIMIT}); after_sequence: 0 or more`;
      throw new DomainError('invalid', 'bad_page', message);
    }
    if (subjects.length > MAX_AUDIT_SUBJECTS) {
      throw new DomainError('invalid', 'bad_page', `subjects: expected at most ${MAX_AUDIT_SUBJECTS}`);
    }
    const size = limit === 0 ? DEFAULT_AUDIT_LIMIT : limit;
    const { entries, chainIntact } = await this.audit.list(afterSequence, size, subjects);
    return {
      chainIntact,
      entries: entries.map(({ sequence, atMicros, actor, action, subject, detail, hash }) => ({
        sequence,
        atMicros,
        actor,
        action,
        subject,
        detailJson: JSON.stringify(detail),
        hash,
      })),
    };
  }

  async traceEvent({ eventId }: TraceEventRequest): Promise<TraceEventResponse> {
    const chain = await this.index.chainOf(eventId);
    if (chain.length === 0) throw new DomainError('not-found', 'unknown_event', `event "${eventId}" is not indexed`);
    return { chain, ...(await this.index.effectsOf(eventId)) };
  }
}

function subjectOf(context: CallContext): string {
  if (!context.caller) throw new DomainError('forbidden', 'unauthenticated', 'a caller is needed');
  return context.caller.subject;
}

function versionMessage(row: ModelVersionRow, aliases: readonly AliasRow[]): ModelVersion {
  const trained = trainedOf(row);
  return {
    model: row.model,
    version: row.version,
    state: row.state,
    aliases: aliases.filter((alias) => alias.version === row.version).map((alias) => alias.alias),
    runId: row.runId,
    modelArtifact: trained.modelArtifact,
    metrics: trained.metrics,
    gates: gatesOf(row.gates).map(gateResult),
    datasets: trained.datasets,
    plan: trained.plan,
    trigger: trained.trigger,
    shuffleLabels: trained.shuffleLabels,
    registeredAtMicros: row.registeredAtMicros,
    resultArtifact: trained.resultArtifact,
    profileArtifact: trained.profileArtifact,
    signature: trained.signature,
    planVersion: trained.planVersion,
    trainingSet: trained.trainingSet,
    featureViews: trained.featureViews,
    trainingRows: trained.trainingRows,
    trainFromMicros: trained.trainFromMicros,
    trainToMicros: trained.trainToMicros,
    seed: trained.seed,
    environmentDigest: trained.environmentDigest,
    gateEventId: row.gateEvent?.eventId ?? '',
  };
}
