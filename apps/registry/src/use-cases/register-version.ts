import { events } from '@headrace/contracts';
import { ModelTrained } from '@headrace/contracts/proto/training/v1/training_events';
import { DefinitionReader } from '@headrace/definition-store';
import { nowMicros, parseDuration } from '@headrace/event-time';
import type { Cause, Outcome, ReceivedEvent, Transaction } from '@headrace/messaging';
import { LOGGER, type Logger } from '@headrace/service-kit';
import { Inject, Injectable } from '@nestjs/common';
import { ModelVersionRow } from '../database/version.table';
import { storedGates, VersionsRepository } from '../database/versions.repository';
import { WaitingReplaysRepository } from '../database/waiting-replays.repository';
import { EndpointsRepository } from '../database/endpoints.repository';
import {
  evaluateGates,
  evaluateReplay,
  measurementsOf,
  waitingFor,
  type Gate,
  type GateEvaluation,
} from '../domain/gates';
import { RegistryPublisher } from '../events-out/registry-publisher';
import { ConcludeGates } from './conclude-gates';
import { takeDecisionLock } from './decision-lock';

/** A trained model becomes the next version; its gates are evaluated at once, unless some of them wait for a replay. */
@Injectable()
export class RegisterVersion {
  constructor(
    private readonly versions: VersionsRepository,
    private readonly definitions: DefinitionReader,
    private readonly publisher: RegistryPublisher,
    private readonly replays: WaitingReplaysRepository,
    private readonly endpoints: EndpointsRepository,
    private readonly conclude: ConcludeGates,
    @Inject(LOGGER) private readonly logger: Logger,
  ) {}

  async run(event: ReceivedEvent<ModelTrained>, transaction: Transaction): Promise<Outcome> {
    const trained = event.data;
    const { model } = trained;
    if (model === '' || trained.runId === '' || !trained.modelArtifact || !trained.signature) {
      const message = 'model, run_id, model_artifact and signature are needed';
      return { kind: 'rejected', code: 'incomplete_model_trained', message };
    }
    const definition = this.definitions.get('Model', model);
    if (!definition) return { kind: 'not-yet', waitsFor: `Model/${model}` };

    await takeDecisionLock(transaction);
    if (await this.versions.ofRun(transaction, trained.runId)) return { kind: 'done' };
    const version = await this.versions.nextNumber(transaction, model);
    const registered = await this.publisher.publish(
      transaction,
      events.ModelVersionRegistered,
      {
        model,
        version,
        runId: trained.runId,
        modelArtifact: trained.modelArtifact,
        profileArtifact: trained.profileArtifact,
        signature: trained.signature,
        datasets: trained.datasets,
        plan: trained.plan,
        planVersion: trained.planVersion,
      },
      event,
    );

    const declared = definition.definition.spec.gates;
    const byMeasurement = evaluateGates(declared, measurementsOf(trained));
    const { gates, waiting } = await this.withoutRequests(transaction, declared, byMeasurement);
    const row = transaction.manager.create(ModelVersionRow, {
      model,
      version,
      runId: trained.runId,
      state: 'registered',
      trained: ModelTrained.toJSON(trained) as object,
      gates: storedGates(gates),
      registeredAtMicros: nowMicros(),
      gateEvent: registered,
      validatedEvent: null,
    });
    await transaction.manager.save(row);
    this.logger.info({ model, version, runId: trained.runId }, 'version registered');
    for (const gate of waiting) await this.askForReplay(transaction, row, gate, definition.version, registered);
    if (waiting.length === 0) await this.conclude.run(transaction, row, gates, definition.version, registered);
    return { kind: 'done' };
  }

  /** Where nothing was ever deployed there are no requests to replay: nobody waits for them. */
  private async withoutRequests(
    transaction: Transaction,
    declared: readonly Gate[],
    evaluated: readonly GateEvaluation[],
  ): Promise<{ readonly gates: readonly GateEvaluation[]; readonly waiting: readonly Gate[] }> {
    const gates = [...evaluated];
    const waiting: Gate[] = [];
    for (const gate of waitingFor(declared, evaluated)) {
      const endpoint = gate.replay?.endpoint ?? '';
      const { state } = await this.endpoints.load(transaction, endpoint);
      if (state.champion !== 0) waiting.push(gate);
      else {
        const reason = `endpoint "${endpoint}" has answered nothing yet`;
        gates[declared.indexOf(gate)] = evaluateReplay(gate, undefined, reason);
      }
    }
    return { gates, waiting };
  }

  private async askForReplay(
    transaction: Transaction,
    { model, version }: ModelVersionRow,
    gate: Gate,
    definitionVersion: string,
    registered: Cause,
  ): Promise<void> {
    if (!gate.replay) return;
    const { endpoint, since, minimumRows, wait } = gate.replay;
    const deadlineMicros = nowMicros() + parseDuration(wait);
    const request = {
      model,
      version,
      gate: gate.name,
      endpoint,
      sinceMicros: parseDuration(since),
      minimumRows,
      metric: gate.metric,
      bound: gate.bound,
      deadlineMicros,
    };
    const cause = await this.publisher.publish(transaction, events.ReplayRequested, request, registered);
    await this.replays.add(transaction, { model, version, gate, definitionVersion, deadlineMicros, cause });
  }
}
