// Tries parked events again: each in its own transaction, in order within its key.
import { setTimeout as sleep } from 'node:timers/promises';
import type { QueryRunner } from 'typeorm';
import { countAttempt, forgetAttempts } from './attempts';
import { backoffMs } from './backoff';
import { inTransaction, rows } from './database';
import type { DeadLetter } from './dead-letters';
import { messageOf } from './faults';
import type { GroupContext } from './group-context';
import { HandlerTransaction } from './handler-transaction';
import { failureOf, failureOfOutcome, Handling, type Failure } from './handling';
import { argumentOf, classify, nameOf, type Handled } from './items';
import { metrics } from './metrics';
import { settleRedriven } from './redrive';
import { dueEvents, lockParked, markDead, postpone, unpark, type DueEvent, type ParkedEvent } from './parked';
import type { PartitionId } from './positions';
import { tracedCall } from './traced-call';
import type { Outcome } from './types';

const AT_ONCE = 200;
const LONGEST_DELAY_MS = 1000;

class Failed extends Error {
  constructor(readonly failure: Failure) {
    super(failure.kind);
  }
}

export class ParkedRetrier {
  private readonly stopping = new AbortController();
  private running: Promise<void> = Promise.resolve();

  constructor(private readonly context: GroupContext) {}

  start(): void {
    this.running = this.run();
  }

  async stop(): Promise<void> {
    this.stopping.abort();
    await this.running;
  }

  /** Tries all that waits, again and again, until nothing of it succeeds any more. Not while it is started. */
  async exhaust(signal: AbortSignal): Promise<void> {
    const { dataSource, group } = this.context;
    for (let applied = true; applied && !signal.aborted;) {
      applied = false;
      const found: unknown = await dataSource.query(
        `WITH due AS (UPDATE parked_events SET next_try_at = now() WHERE consumer_group = $1 AND state <> 'dead' RETURNING 1)
         SELECT count(*)::int AS events FROM due`,
        [group],
      );
      const { events = 0 } = (found as { events?: number }[])[0] ?? {};
      // What was tried comes last: after so many passes each one had its try.
      for (let tried = 0; tried < events; tried += AT_ONCE) if (await this.pass(signal)) applied = true;
    }
  }

  private async run(): Promise<void> {
    const { signal } = this.stopping;
    let failures = 0;
    while (!signal.aborted) {
      let delay = this.context.tuning.parkedRetryMs;
      try {
        // What waits in vain takes half of the time at most, however much it is: the database has other work.
        delay = Math.max(delay, await this.round(signal));
        failures = 0;
      } catch (error) {
        failures += 1;
        delay = backoffMs(failures, this.context.tuning.backoffMinMs, this.context.tuning.backoffMaxMs);
        this.context.logger.warn(
          { group: this.context.group, fault: messageOf(error) },
          'parked events cannot be tried now',
        );
      }
      await sleep(delay, undefined, { signal }).catch(() => undefined);
    }
  }

  /** Goes on while events succeed: what waited behind them becomes due. Returns how long the tries took that were in vain. */
  private async round(signal: AbortSignal): Promise<number> {
    for (;;) {
      const began = performance.now();
      const applied = await this.pass(signal);
      if (!applied || signal.aborted) return performance.now() - began;
    }
  }

  /** True when one was applied. */
  private async pass(signal: AbortSignal): Promise<boolean> {
    let applied = false;
    for (const event of await this.due()) {
      if (signal.aborted) return applied;
      if (await this.retry(event)) applied = true;
    }
    return applied;
  }

  private async due(): Promise<DueEvent[]> {
    const { group, dataSource } = this.context;
    const runner = dataSource.createQueryRunner();
    try {
      const counts = await rows<{ state: string; events: string }>(
        runner,
        'SELECT state, count(*) AS events FROM parked_events WHERE consumer_group = $1 GROUP BY state',
        [group],
      );
      for (const state of ['waiting', 'behind', 'dead']) {
        metrics.parked.set({ group, state }, Number(counts.find((row) => row.state === state)?.events ?? 0));
      }
      return counts.length === 0 ? [] : await dueEvents(runner, group, AT_ONCE);
    } finally {
      await runner.release();
    }
  }

  /** True when the event was applied. */
  private async retry(due: DueEvent): Promise<boolean> {
    const { dataSource, tuning } = this.context;
    const { offset, suspect, ...id } = due;
    if (suspect && suspect.attempts >= tuning.maxAttempts) {
      const message = `${suspect.attempts} tries failed, the last one: ${suspect.lastError}`;
      const letter = { reason: 'deadline', code: 'ended_processes', message, stack: message } as const;
      await this.settle(id, offset, { kind: 'fault', letter }, true);
      return false;
    }
    const hand = { group: id.group, topic: id.topic, partition: id.partition, from: offset, to: offset + 1 };
    try {
      return await this.context.hangWatch.during({ ...hand, alone: suspect !== undefined }, () =>
        this.apply(id, offset),
      );
    } catch (error) {
      if (!(error instanceof Failed)) throw error;
      const { failure } = error;
      let attempts = 0;
      if (failure.kind === 'fault') {
        attempts = await countAttempt(dataSource, id, offset, failure.letter.message);
        metrics.retries.inc({ group: id.group, kind: 'fault' });
      }
      await this.settle(id, offset, failure, attempts >= tuning.maxAttempts);
      return false;
    }
  }

  private async apply(id: PartitionId, offset: number): Promise<boolean> {
    let handling: Handling | undefined;
    const applied = await inTransaction(this.context.dataSource, async (runner) => {
      const parked = await this.lock(runner, id, offset);
      if (!parked) return false;
      const item = this.handled(parked);
      if ('letter' in item) throw new Failed({ kind: 'rejected', letter: item.letter });
      await runner.query('SAVEPOINT tried');
      handling = new Handling(this.context, runner, id);
      const outcome = await this.call(item, handling, runner);
      if (outcome?.kind === 'not-yet') {
        const { expiresAtMs = Date.now() + item.route.notYetExpiryMs } = parked;
        if (Date.now() > expiresAtMs) throw new Failed(failureOfOutcome(outcome));
        // Most tries end here: the same transaction undoes what the handler wrote and says when the next one is.
        await runner.query('ROLLBACK TO SAVEPOINT tried');
        await this.postpone(runner, id, parked, { waitsFor: outcome.waitsFor, expiresAtMs });
        return false;
      }
      if (outcome && outcome.kind !== 'done') throw new Failed(failureOfOutcome(outcome));
      if (item.kind === 'event') handling.observations.done(item.route.name, item.event);
      else handling.observations.settled(item.route.name, 'done');
      await unpark(runner, id, offset);
      if (parked.record.redriveOf !== undefined) await settleRedriven(runner, id, parked.record, handling);
      await forgetAttempts(runner, id, offset, offset + 1);
      await this.context.writeOutbox(runner, handling.outgoing);
      return true;
    });
    if (applied) handling?.observations.commit();
    return applied;
  }

  private lock(runner: QueryRunner, id: PartitionId, offset: number): Promise<ParkedEvent | undefined> {
    const { idleInTransactionMs, handlerDeadlineMs } = this.context.tuning;
    return lockParked(runner, id, offset, { idleInTransactionMs, statementMs: handlerDeadlineMs + 1000 });
  }

  /** Throws when the handler does not answer. */
  private async call(item: Handled, handling: Handling, runner: QueryRunner): Promise<Outcome | undefined> {
    const single = item.route.kind === 'event';
    const cause = single && item.kind === 'event' ? item.event : undefined;
    const transaction = new HandlerTransaction(runner, this.context.service, cause, handling.outgoing);
    const answer = await tracedCall(this.context, [item], {
      route: item.route,
      argument: single ? argumentOf(item) : [argumentOf(item)],
      count: 1,
      transaction,
      runner,
      deadlineMs: this.context.tuning.handlerDeadlineMs,
    });
    if (answer.kind !== 'answered') throw new Failed(failureOf(answer));
    return answer.outcomes[0];
  }

  private handled(parked: ParkedEvent): Handled | { readonly letter: DeadLetter } {
    const { routes } = this.context;
    const item = classify(parked.record, routes);
    if (item.kind === 'event' || item.kind === 'record') return item;
    if (item.kind === 'dead') return { letter: item.letter };
    return { letter: { reason: 'rejected', code: 'no_handler', message: 'the group has no handler for it any more' } };
  }

  /** After a rollback: wait on, or dead-letter what expired or failed too often. */
  private async settle(id: PartitionId, offset: number, failure: Failure, exhausted: boolean): Promise<void> {
    const { dataSource, routes } = this.context;
    let handling: Handling | undefined;
    await inTransaction(dataSource, async (runner) => {
      const parked = await this.lock(runner, id, offset);
      if (!parked) return;
      handling = new Handling(this.context, runner, id);
      const item = classify(parked.record, routes);
      const expiryMs = item.kind === 'event' || item.kind === 'record' ? item.route.notYetExpiryMs : 0;
      const expiresAtMs = parked.expiresAtMs ?? Date.now() + expiryMs;
      const letter = letterOf(failure, expiresAtMs, exhausted);
      if (letter) {
        await handling.deadLetter(parked.record, nameOf(item), letter, parked.blocksKey);
        if (parked.blocksKey) await markDead(runner, id, offset);
        else await unpark(runner, id, offset);
        await forgetAttempts(runner, id, offset, offset + 1);
        await this.context.writeOutbox(runner, handling.outgoing);
        return;
      }
      const waitsFor = failure.kind === 'not-yet' ? failure.waitsFor : 'another try after a fault';
      await this.postpone(runner, id, parked, { waitsFor, expiresAtMs });
    });
    handling?.observations.commit();
  }

  private postpone(
    runner: QueryRunner,
    id: PartitionId,
    { record, tries }: ParkedEvent,
    change: { readonly waitsFor: string; readonly expiresAtMs: number },
  ): Promise<void> {
    const delayMs = Math.min(LONGEST_DELAY_MS, this.context.tuning.parkedRetryMs * 2 ** Math.min(tries, 10));
    return postpone(runner, id, record.offset, { ...change, state: 'waiting', delayMs });
  }
}

/** Why the event is dead; undefined while it may wait on. */
function letterOf(failure: Failure, expiresAtMs: number, exhausted: boolean): DeadLetter | undefined {
  if (failure.kind === 'rejected') return failure.letter;
  if (failure.kind === 'fault') return exhausted ? failure.letter : undefined;
  if (failure.kind === 'not-yet' && Date.now() > expiresAtMs) {
    return { reason: 'expired', code: 'expired', message: `waited in vain for ${failure.waitsFor}` };
  }
  return undefined;
}
