// One batch of one partition: chunks in shared transactions, falling apart to single events when one fails.
import type { QueryRunner } from 'typeorm';
import { countAttempt, forgetAttempts, forgetPassed, readSuspects, type Suspect } from './attempts';
import { backoffMs } from './backoff';
import { inTransaction } from './database';
import { isTransient, messageOf, stackOf } from './faults';
import type { GroupContext } from './group-context';
import { Handling, needsOf, Undone, type Failure } from './handling';
import { classify, nameOf } from './items';
import { metrics } from './metrics';
import { park } from './parked';
import { describe, lockPosition, movePosition, type LockedPosition, type Needs, type PartitionId } from './positions';
import { forgetProcesses } from './producer-shards';
import { cut, halves, isolate, type Slice } from './slice';
import type { RawRecord } from './types';

export interface FetchedBatch {
  /** Offset the fetch asked for: between the position and it nothing may lie. */
  readonly fetchedFrom: number;
  readonly records: readonly RawRecord[];
  /** Where the next fetch goes on. */
  readonly end: number;
  /** End of the log, as the broker told it with the fetch. */
  readonly highWatermark: number;
}

export type BatchVerdict =
  | { readonly kind: 'finished' }
  /** The database stands elsewhere than the fetch: read on from there. */
  | { readonly kind: 'seek'; readonly to: number }
  /** Try again later, from the position. */
  | { readonly kind: 'wait'; readonly ms: number; readonly reason: string }
  /** No position row, another cluster's, or one that went on elsewhere: it must be opened (and checked) first. */
  | { readonly kind: 'unpositioned' };

/** The position is not where the slice begins. Where it is, if reading on from there is all that has to be done. */
class Elsewhere extends Error {
  constructor(readonly position: number | undefined) {
    super('the position is elsewhere');
  }
}

const FORGET_MS = 3_600_000;

export class PartitionProcessor {
  private readonly id: PartitionId;
  /** When ended processes were forgotten. */
  private forgotAt = 0;
  private failures = 0;
  private limit: number;
  /** Failed by itself and is tried again: it does not take a chunk down once more. */
  private suspect: number | undefined;
  /** In hand when a process died, or failed in an earlier one; undefined: not read yet. */
  private suspects: Map<number, Suspect> | undefined;

  constructor(
    private readonly context: GroupContext,
    topic: string,
    partition: number,
  ) {
    this.id = { group: context.group, topic, partition };
    this.limit = context.tuning.chunkSize;
  }

  /** The partition was assigned anew: meanwhile another process may have had it, and died of it. */
  reopen(): void {
    this.suspects = undefined;
  }

  /** `committed` is told each new position; `mayGoOn` is asked between transactions. */
  async process(
    batch: FetchedBatch,
    committed: (position: number) => void,
    mayGoOn: () => boolean,
  ): Promise<BatchVerdict> {
    try {
      this.suspects ??= await readSuspects(this.context.dataSource, this.id, batch.fetchedFrom);
    } catch (error) {
      return this.wait(isTransient(error) ? 'transient' : 'fault', messageOf(error));
    }
    const waiting: Slice[] = [{ records: batch.records, start: batch.fetchedFrom, end: batch.end }];
    for (let next = waiting.pop(); next; next = waiting.pop()) {
      if (!mayGoOn()) return { kind: 'finished' };
      // Only now: after an outage the limit grows again with each transaction, and a batch may hold thousands.
      const [slice, rest] = cut(next, this.sizeOf(next));
      if (rest) waiting.push(rest);
      try {
        await this.attempt(slice);
        committed(slice.end);
        this.succeeded();
        await this.forgetSuspects(slice.end);
        await this.forgetProcesses(slice);
      } catch (error) {
        if (error instanceof Elsewhere) return verdictOf(error);
        const { failure, offset } = error instanceof Undone ? error : unlocated(error);
        if (failure.kind === 'transient' && offset === undefined) return this.wait('transient', failure.message);
        let alone = slice;
        if (slice.records.length > 1) {
          const parts = offset === undefined ? halves(slice) : isolate(slice, offset);
          const [head, ...rest] = parts;
          // Nothing lay before it in the transaction: alone it would be answered the same.
          const judged =
            (failure.kind === 'rejected' || failure.kind === 'not-yet') && offset === head?.records[0]?.offset;
          waiting.push(...(judged ? rest : parts).reverse());
          if (!judged || !head) continue;
          alone = head;
        }
        const verdict = await this.settleAlone(alone, failure, committed);
        if (verdict) return verdict;
        await this.forgetSuspects(alone.end);
      }
    }
    return { kind: 'finished' };
  }

  /** How many of the next records share a transaction. What failed before, or was in hand when a process died, goes alone. */
  private sizeOf({ records }: Slice): number {
    const { suspect, suspects, limit } = this;
    if (suspect === undefined && !suspects?.size) return limit;
    const first = records.slice(0, limit).findIndex(({ offset }) => offset === suspect || suspects?.has(offset));
    return first < 0 ? limit : Math.max(1, first);
  }

  private async attempt(slice: Slice): Promise<void> {
    let committed: Handling | undefined;
    const first = slice.records[0]?.offset ?? slice.start;
    const suspect = this.suspects?.get(first);
    if (suspect && suspect.attempts >= this.context.tuning.maxAttempts) throw endedProcesses(suspect, first);
    const to = (slice.records.at(-1)?.offset ?? first) + 1;
    const hand = { ...this.id, from: first, to, alone: suspect !== undefined };
    await this.context.hangWatch.during(hand, () =>
      inTransaction(this.context.dataSource, async (runner) => {
        const items = slice.records.map((record) => classify(record, this.context.routes));
        const position = await this.lock(runner, slice, needsOf(items));
        const handling = new Handling(this.context, runner, this.id);
        await handling.handle(items, position);
        await this.finish(runner, handling, slice);
        committed = handling;
      }),
    );
    committed?.observations.commit();
  }

  /** Settles a record that failed by itself. Undefined: settled, go on. */
  private async settleAlone(
    slice: Slice,
    failure: Failure,
    committed: (position: number) => void,
  ): Promise<BatchVerdict | undefined> {
    const record = slice.records[0];
    if (!record || failure.kind === 'transient') {
      return this.wait('transient', failure.kind === 'transient' ? failure.message : failure.kind);
    }
    try {
      if (failure.kind === 'fault') {
        this.suspect = record.offset;
        const attempts = await countAttempt(this.context.dataSource, this.id, record.offset, failure.letter.message);
        const { maxAttempts, backoffMinMs, backoffMaxMs } = this.context.tuning;
        if (attempts < maxAttempts) {
          this.context.logger.error(
            { ...this.id, offset: record.offset, attempts, maxAttempts, stack: failure.letter.stack },
            'handler failed for an unknown reason',
          );
          metrics.retries.inc({ group: this.context.group, kind: 'fault' });
          return { kind: 'wait', ms: backoffMs(attempts, backoffMinMs, backoffMaxMs), reason: failure.letter.message };
        }
      }
      await this.settle(slice, record, failure);
      committed(slice.end);
      this.succeeded();
      return undefined;
    } catch (error) {
      if (error instanceof Elsewhere) return verdictOf(error);
      return this.wait(isTransient(error) ? 'transient' : 'fault', messageOf(error));
    }
  }

  /** Dead letter or parking instead of the handler, with the position. */
  private async settle(slice: Slice, record: RawRecord, failure: Failure): Promise<void> {
    let committed: Handling | undefined;
    await inTransaction(this.context.dataSource, async (runner) => {
      await this.lock(runner, slice);
      const handling = new Handling(this.context, runner, this.id);
      const item = classify(record, this.context.routes);
      handling.passed(item);
      if (failure.kind === 'not-yet' && (item.kind === 'event' || item.kind === 'record')) {
        await handling.parkWaiting(item, failure.waitsFor);
      } else if (failure.kind === 'rejected' || failure.kind === 'fault') {
        const keyParked = item.kind !== 'skip' && item.route?.deadLetter === 'park-key';
        await handling.deadLetter(record, nameOf(item), failure.letter, keyParked);
        if (keyParked) {
          await park(runner, this.context.group, {
            record,
            state: 'dead',
            blocksKey: true,
            waitsFor: 'redrive',
            expiresAtMs: undefined,
          });
        }
      }
      await forgetAttempts(runner, this.id, slice.start, slice.end);
      await this.finish(runner, handling, slice);
      committed = handling;
    });
    committed?.observations.commit();
  }

  /** Takes the position, which must stand where the slice begins. */
  private async lock(runner: QueryRunner, slice: Slice, needs?: Needs): Promise<LockedPosition> {
    const { idleInTransactionMs, handlerDeadlineMs } = this.context.tuning;
    const timeouts = { idleInTransactionMs, statementMs: handlerDeadlineMs + 1000 };
    const position = await lockPosition(runner, this.id, timeouts, needs);
    if (position?.clusterId !== this.context.clusterId) throw new Elsewhere(undefined);
    if (position.next < slice.start) throw new Elsewhere(position.next);
    // Another member went on, or the log is not the one that it was: opening the position anew tells which.
    if (position.next > slice.start) throw new Elsewhere(undefined);
    return position;
  }

  private async finish(runner: QueryRunner, handling: Handling, slice: Slice): Promise<void> {
    await this.context.writeOutbox(runner, handling.outgoing);
    await movePosition(runner, this.id, slice.start, slice.end, handling.sequences);
  }

  private wait(kind: 'transient' | 'fault', reason: string): BatchVerdict {
    this.failures += 1;
    // Two transactions that meet again and again meet less when they are shorter.
    this.limit = Math.max(1, Math.floor(this.limit / 2));
    const { backoffMinMs, backoffMaxMs } = this.context.tuning;
    const ms = backoffMs(this.failures, backoffMinMs, backoffMaxMs);
    metrics.retries.inc({ group: this.context.group, kind });
    this.context.logger.warn(
      { ...this.id, failures: this.failures, waitMs: Math.round(ms), fault: reason },
      `partition waits: ${describe(this.id)}`,
    );
    return { kind: 'wait', ms, reason };
  }

  /** Those that the position has passed are done with. */
  private async forgetSuspects(position: number): Promise<void> {
    const { suspects, suspect } = this;
    const last = Math.max(suspect ?? -1, [...(suspects?.keys() ?? [])].at(-1) ?? -1);
    if (last < 0 || last >= position) return;
    try {
      await forgetPassed(this.context.dataSource, this.id, position);
      suspects?.clear();
      this.suspect = undefined;
    } catch (error) {
      // They are passed for good: the rows only wait for the next time.
      this.context.logger.debug({ ...this.id, fault: messageOf(error) }, 'attempts not cleared');
    }
  }

  /** Seldom: there are few of them. */
  private async forgetProcesses({ records }: Slice): Promise<void> {
    const now = Date.now();
    if (records.length === 0 || now - this.forgotAt < FORGET_MS) return;
    this.forgotAt = now;
    try {
      const written = records.reduce((least, { timestampMs }) => Math.min(least, timestampMs), now);
      await forgetProcesses(this.context.dataSource, this.id, written);
    } catch (error) {
      this.context.logger.debug({ ...this.id, fault: messageOf(error) }, 'ended processes not forgotten');
    }
  }

  private succeeded(): void {
    this.failures = 0;
    this.limit = Math.min(this.context.tuning.chunkSize, this.limit * 2);
  }
}

function verdictOf({ position }: Elsewhere): BatchVerdict {
  return position === undefined ? { kind: 'unpositioned' } : { kind: 'seek', to: position };
}

/** Tried often enough, in processes that it ended or in which it failed. */
function endedProcesses({ attempts, lastError }: Suspect, offset: number): Undone {
  const message = `${attempts} tries failed in earlier processes, the last one: ${lastError}`;
  return new Undone(
    { kind: 'fault', letter: { reason: 'deadline', code: 'ended_processes', message, stack: message } },
    offset,
  );
}

/** An error outside a handler (commit, our own statements): whose fault it was is found by halving. */
function unlocated(error: unknown): { readonly failure: Failure; readonly offset: undefined } {
  const message = messageOf(error);
  if (isTransient(error)) return { failure: { kind: 'transient', message }, offset: undefined };
  const letter = { reason: 'fault', code: 'transaction_failed', message, stack: stackOf(error) } as const;
  return { failure: { kind: 'fault', letter }, offset: undefined };
}
