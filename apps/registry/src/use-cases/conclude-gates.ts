import { events } from '@headrace/contracts';
import type { GateResult } from '@headrace/contracts/proto/registry/v1/registry_events';
import { DefinitionReader } from '@headrace/definition-store';
import { nowMicros } from '@headrace/event-time';
import type { Cause, Transaction } from '@headrace/messaging';
import { LOGGER, type Logger } from '@headrace/service-kit';
import { Inject, Injectable } from '@nestjs/common';
import { GateEvaluationRow, type ModelVersionRow } from '../database/version.table';
import { storedGates, VersionsRepository } from '../database/versions.repository';
import { allPassed, type GateEvaluation } from '../domain/gates';
import { RegistryPublisher } from '../events-out/registry-publisher';
import { gateFailures, versionsRegistered } from '../registry-metrics';
import { POLICY, RollOut } from './roll-out';

/** All gates of a version have their evaluation: it is validated or refused; passed, it is offered to its endpoints. */
@Injectable()
export class ConcludeGates {
  constructor(
    private readonly versions: VersionsRepository,
    private readonly definitions: DefinitionReader,
    private readonly publisher: RegistryPublisher,
    private readonly rollOut: RollOut,
    @Inject(LOGGER) private readonly logger: Logger,
  ) {}

  /** The decision lock is held. `definitionVersion`: content hash of the Model whose gates they are. */
  async run(
    transaction: Transaction,
    row: ModelVersionRow,
    gates: readonly GateEvaluation[],
    definitionVersion: string,
    cause: Cause,
  ): Promise<void> {
    const { model, version } = row;
    const passed = allPassed(gates);
    const evaluated = await this.publisher.publish(
      transaction,
      events.GateEvaluated,
      { model, version, gates: gates.map(gateResult), passed },
      cause,
    );
    const validated = passed
      ? await this.publisher.publish(
          transaction,
          events.ModelVersionValidated,
          { model, version, byWaiver: false },
          evaluated,
        )
      : null;
    row.state = passed ? 'validated' : 'refused';
    row.gates = storedGates(gates);
    row.gateEvent = evaluated;
    row.validatedEvent = validated;
    await transaction.manager.save(row);
    await transaction.manager.insert(GateEvaluationRow, {
      eventId: evaluated.eventId,
      model,
      version,
      definitionVersion,
      gates: storedGates(gates),
      passed,
      atMicros: nowMicros(),
    });
    versionsRegistered.inc({ model, outcome: row.state });
    for (const gate of gates) if (!gate.passed) gateFailures.inc({ model, gate: gate.name });
    this.logger.info({ model, version, runId: row.runId, passed }, 'gates of a version evaluated');
    if (!validated || this.definitions.get('Model', model)?.definition.spec.promotion !== 'automatic') return;
    // Its gates may have waited while a later version passed: it must not take that one's place.
    const newest = await this.versions.newestServable(transaction, model);
    if (newest && newest.version > version) return;
    const decider = { actor: POLICY, reason: 'all gates passed', cause: validated };
    await this.rollOut.offerEverywhere(transaction, model, { version, byWaiver: false }, decider);
  }
}

export function gateResult({ name, criterion, measured, passed, waived, message }: GateEvaluation): GateResult {
  return { name, criterion, measured: measured ?? Number.NaN, passed, waived, message };
}
