import type { Estimate } from '@headrace/contracts/proto/common/v1/common';
import type { ReplayCompleted } from '@headrace/contracts/proto/monitoring/v1/monitoring_events';
import { MICROS, nowMicros } from '@headrace/event-time';
import {
  UNIT_OF_WORK,
  type Cause,
  type Outcome,
  type ReceivedEvent,
  type Transaction,
  type UnitOfWork,
} from '@headrace/messaging';
import { LOGGER, type Logger } from '@headrace/service-kit';
import { Inject, Injectable } from '@nestjs/common';
import { gatesOf, storedGates, VersionsRepository } from '../database/versions.repository';
import { WaitingReplaysRepository } from '../database/waiting-replays.repository';
import { evaluateReplay } from '../domain/gates';
import { ConcludeGates } from './conclude-gates';
import { takeDecisionLock } from './decision-lock';

/** Monitoring answers at the deadline at the latest; so much later nobody waits for it any more. */
const GRACE_MICROS = MICROS.m;

interface Answer {
  readonly model: string;
  readonly version: number;
  readonly gate: string;
  /** Undefined: it could not be told. */
  readonly measured: Estimate | undefined;
  readonly reason: string;
}

/** A gate that waited gets its evaluation, by its replay or when its time is over; the last one concludes. */
@Injectable()
export class HeedReplay {
  constructor(
    @Inject(UNIT_OF_WORK) private readonly work: UnitOfWork,
    private readonly versions: VersionsRepository,
    private readonly replays: WaitingReplaysRepository,
    private readonly conclude: ConcludeGates,
    @Inject(LOGGER) private readonly logger: Logger,
  ) {}

  async run(event: ReceivedEvent<ReplayCompleted>, transaction: Transaction): Promise<Outcome> {
    const { model, version, gate, measured, reason } = event.data;
    const { eventId, correlationId, traceparent } = event;
    const cause = { eventId, correlationId, ...(traceparent === undefined ? {} : { traceparent }) };
    await takeDecisionLock(transaction);
    await this.settle(transaction, { model, version, gate, measured, reason }, cause);
    return { kind: 'done' };
  }

  /** What nobody answered. What waits stands in the database: restarts lose nothing. */
  async endOverdue(): Promise<void> {
    for (const { model, version, gate, cause } of await this.replays.overdue(nowMicros() - GRACE_MICROS)) {
      await this.work.run(async (transaction) => {
        await takeDecisionLock(transaction);
        const reason = 'monitoring did not answer in time';
        await this.settle(transaction, { model, version, gate: gate.name, measured: undefined, reason }, cause);
      });
    }
  }

  /** The decision lock is held. Waived or settled before: nothing waits any more. */
  private async settle(transaction: Transaction, answer: Answer, cause: Cause): Promise<void> {
    const { model, version } = answer;
    const waiting = await this.replays.of(transaction, model, version);
    const found = waiting.find(({ gate }) => gate.name === answer.gate);
    const row = await this.versions.find(transaction, model, version);
    if (!found || !row) {
      this.logger.info({ model, version, gate: answer.gate }, 'a replay that no gate waits for is not heeded');
      return;
    }
    const evaluation = evaluateReplay(found.gate, answer.measured, answer.reason);
    const gates = gatesOf(row.gates).map((gate) => (gate.name === evaluation.name ? evaluation : gate));
    await this.replays.remove(transaction, model, version, answer.gate);
    if (waiting.length === 1) {
      await this.conclude.run(transaction, row, gates, found.definitionVersion, cause);
      return;
    }
    row.gates = storedGates(gates);
    await transaction.manager.save(row);
  }
}
