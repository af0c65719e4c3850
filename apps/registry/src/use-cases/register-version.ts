import { events } from '@headrace/contracts';
import type { GateResult } from '@headrace/contracts/proto/registry/v1/registry_events';
import { ModelTrained } from '@headrace/contracts/proto/training/v1/training_events';
import { DefinitionReader } from '@headrace/definition-store';
import { nowMicros } from '@headrace/event-time';
import type { Outcome, ReceivedEvent, Transaction } from '@headrace/messaging';
import { LOGGER, type Logger } from '@headrace/service-kit';
import { Inject, Injectable } from '@nestjs/common';
import { GateEvaluationRow, ModelVersionRow } from '../database/version.table';
import { storedGates, VersionsRepository } from '../database/versions.repository';
import { allPassed, evaluateGates, measurementsOf, type GateEvaluation } from '../domain/gates';
import { RegistryPublisher } from '../events-out/registry-publisher';
import { gateFailures, versionsRegistered } from '../registry-metrics';
import { takeDecisionLock } from './decision-lock';
import { POLICY, RollOut } from './roll-out';

/** A trained model becomes the next version; its gates are evaluated; passed, it is offered to its endpoints. */
@Injectable()
export class RegisterVersion {
  constructor(
    private readonly versions: VersionsRepository,
    private readonly definitions: DefinitionReader,
    private readonly publisher: RegistryPublisher,
    private readonly rollOut: RollOut,
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

    const gates = evaluateGates(definition.definition.spec.gates, measurementsOf(trained));
    const passed = allPassed(gates);
    const evaluated = await this.publisher.publish(
      transaction,
      events.GateEvaluated,
      { model, version, gates: gates.map(gateResult), passed },
      registered,
    );
    const at = nowMicros();
    const validated = passed
      ? await this.publisher.publish(
          transaction,
          events.ModelVersionValidated,
          { model, version, byWaiver: false },
          evaluated,
        )
      : null;
    await transaction.manager.insert(ModelVersionRow, {
      model,
      version,
      runId: trained.runId,
      state: passed ? 'validated' : 'refused',
      trained: ModelTrained.toJSON(trained) as object,
      gates: storedGates(gates),
      registeredAtMicros: at,
      gateEvent: evaluated,
      validatedEvent: validated,
    });
    await transaction.manager.insert(GateEvaluationRow, {
      eventId: evaluated.eventId,
      model,
      version,
      definitionVersion: definition.version,
      gates: storedGates(gates),
      passed,
      atMicros: at,
    });
    versionsRegistered.inc({ model, outcome: passed ? 'validated' : 'refused' });
    for (const gate of gates) if (!gate.passed) gateFailures.inc({ model, gate: gate.name });
    this.logger.info({ model, version, runId: trained.runId, passed }, 'version registered');

    if (validated && definition.definition.spec.promotion === 'automatic') {
      const decider = { actor: POLICY, reason: 'all gates passed', cause: validated };
      await this.rollOut.offerEverywhere(transaction, model, { version, byWaiver: false }, decider);
    }
    return { kind: 'done' };
  }
}

export function gateResult({ name, criterion, measured, passed, waived, message }: GateEvaluation): GateResult {
  return { name, criterion, measured: measured ?? Number.NaN, passed, waived, message };
}
