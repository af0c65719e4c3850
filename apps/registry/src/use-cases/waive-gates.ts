import { DomainError, events } from '@headrace/contracts';
import type { WaiveGatesRequest, WaiveGatesResponse } from '@headrace/contracts/proto/registry/v1/registry_service';
import { DefinitionReader } from '@headrace/definition-store';
import { nowMicros } from '@headrace/event-time';
import { UNIT_OF_WORK, type UnitOfWork } from '@headrace/messaging';
import { Inject, Injectable } from '@nestjs/common';
import { appendAudit } from '../database/audit.repository';
import { gatesOf, storedGates, VersionsRepository } from '../database/versions.repository';
import { WaitingReplaysRepository } from '../database/waiting-replays.repository';
import { waive } from '../domain/gates';
import { RegistryPublisher } from '../events-out/registry-publisher';
import { versionsRegistered } from '../registry-metrics';
import { takeDecisionLock } from './decision-lock';
import { requireReason } from './reason';
import { RollOut } from './roll-out';

/** The role that a waiver needs. */
export const WAIVER_ROLE = 'approver';

/** A person lets a version through gates that it failed: said why, audited, and then rolled out like any other. */
@Injectable()
export class WaiveGates {
  constructor(
    @Inject(UNIT_OF_WORK) private readonly work: UnitOfWork,
    private readonly versions: VersionsRepository,
    private readonly publisher: RegistryPublisher,
    private readonly definitions: DefinitionReader,
    private readonly rollOut: RollOut,
    private readonly replays: WaitingReplaysRepository,
  ) {}

  async run(request: WaiveGatesRequest, actor: string): Promise<WaiveGatesResponse> {
    const { model, version } = request;
    const reason = requireReason(request.reason);
    return this.work.run(async (transaction) => {
      await takeDecisionLock(transaction);
      const row = await this.versions.find(transaction, model, version);
      if (!row)
        throw new DomainError('not-found', 'unknown_version', `version ${version} of model "${model}" is unknown`);
      const { evaluations, waived } = waive(gatesOf(row.gates));
      if (waived.length === 0 || !row.gateEvent) {
        throw new DomainError('precondition', 'nothing_to_waive', `version ${version} of ${model} failed no gate`);
      }
      const waivedEvent = await this.publisher.publish(
        transaction,
        events.GatesWaived,
        { model, version, gates: waived, reason, actor, role: WAIVER_ROLE },
        row.gateEvent,
      );
      const validated = await this.publisher.publish(
        transaction,
        events.ModelVersionValidated,
        { model, version, byWaiver: true },
        waivedEvent,
      );
      row.gates = storedGates(evaluations);
      row.state = 'waived';
      row.validatedEvent = validated;
      await transaction.manager.save(row);
      await this.replays.remove(transaction, model, version);
      await appendAudit(transaction, {
        atMicros: nowMicros(),
        actor,
        action: 'gates.waived',
        subject: `Model/${model}/${version}`,
        detail: { gates: waived, reason, role: WAIVER_ROLE, event: waivedEvent.eventId },
      });
      versionsRegistered.inc({ model, outcome: 'waived' });
      if (this.definitions.get('Model', model)?.definition.spec.promotion === 'automatic') {
        const decider = { actor, reason: `gates waived: ${reason}`, cause: validated };
        await this.rollOut.offerEverywhere(transaction, model, { version, byWaiver: true }, decider);
      }
      return { gates: waived };
    });
  }
}
