// One batch of one partition: chunks in shared transactions, falling apart to single events when one fails.
import type { QueryRunner } from 'typeorm';
import { countAttempt, forgetAttempts } from './attempts';
import { backoffMs } from './backoff';
import { inTransaction } from './database';
import { isTransient, messageOf, stackOf } from './faults';
import type { GroupContext } from './group-context';
import { Handling, Undone, type Failure } from './handling';
import { classify, nameOf } from './items';
import { metrics } from './metrics';
import { writeOutbox } from './outbox';
import { park } from './parked';
import { describe, lockPosition, movePosition, type PartitionId } from './positions';
import { writeSequences } from './sequences';
import { chunks, halves, isolate, type Slice } from './slice';
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
  /** No position row, another cluster's, or beyond the end of the log: it must be opened (and checked) first. */
  | { readonly kind: 'unpositioned' };

/** The position is behind what was fetched. */
class Behind extends Error {
  constructor(readonly position: number | undefined) {
    super('the position is behind the fetch');
  }
}

export class PartitionProcessor {
  private readonly id: PartitionId;
  private failures = 0;
  private limit: number;
  /** Failed by itself and is tried again: it does not take a chunk down once more. */
  private suspect: number | undefined;

  constructor(
    private readonly context: GroupContext,
    topic: string,
    partition: number,
  ) {
    this.id = { group: context.group, topic, partition };
    this.limit = context.tuning.chunkSize;
  }

  /** `committed` is told each new position; `mayGoOn` is asked between transactions. */
  async process(
    batch: FetchedBatch,
    committed: (position: number) => void,
    mayGoOn: () => boolean,
  ): Promise<BatchVerdict> {
    const waiting = this.slicesOf(batch).reverse();
    for (let slice = waiting.pop(); slice; slice = waiting.pop()) {
      if (!mayGoOn()) return { kind: 'finished' };
      try {
        const position = await this.attempt(slice);
        if (position > Math.max(batch.highWatermark, slice.end)) return { kind: 'unpositioned' };
        committed(position);
        this.succeeded();
      } catch (error) {
        if (error instanceof Behind) {
          return error.position === undefined ? { kind: 'unpositioned' } : { kind: 'seek', to: error.position };
        }
        const { failure, offset } = error instanceof Undone ? error : unlocated(error);
        if (failure.kind === 'transient' && offset === undefined) return this.wait('transient', failure.message);
        if (slice.records.length > 1) {
          const parts = offset === undefined ? halves(slice) : isolate(slice, offset);
          waiting.push(...parts.reverse());
          continue;
        }
        const verdict = await this.settleAlone(slice, failure, committed);
        if (verdict) return verdict;
      }
    }
    return { kind: 'finished' };
  }

  private slicesOf(batch: FetchedBatch): Slice[] {
    const whole: Slice = { records: batch.records, start: batch.fetchedFrom, end: batch.end };
    const suspected = batch.records.some((record) => record.offset === this.suspect);
    const parts = suspected && this.suspect !== undefined ? isolate(whole, this.suspect) : [whole];
    return parts.flatMap((part) => chunks(part, this.limit));
  }

  private async attempt(slice: Slice): Promise<number> {
    let committed: Handling | undefined;
    const position = await inTransaction(this.context.dataSource, async (runner) => {
      const from = await this.lock(runner, slice);
      if (from >= slice.end) return from;
      const handling = new Handling(this.context, runner, this.id);
      await handling.handle(slice.records.filter((record) => record.offset >= from));
      await this.finish(runner, handling, from, slice.end);
      committed = handling;
      return slice.end;
    });
    committed?.observations.commit();
    return position;
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
      committed(await this.settle(slice, record, failure));
      this.succeeded();
      return undefined;
    } catch (error) {
      if (error instanceof Behind && error.position !== undefined) return { kind: 'seek', to: error.position };
      return this.wait(isTransient(error) ? 'transient' : 'fault', messageOf(error));
    }
  }

  /** Dead letter or parking instead of the handler, with the position. */
  private async settle(slice: Slice, record: RawRecord, failure: Failure): Promise<number> {
    let committed: Handling | undefined;
    const position = await inTransaction(this.context.dataSource, async (runner) => {
      const from = await this.lock(runner, slice);
      if (from >= slice.end) return from;
      const handling = new Handling(this.context, runner, this.id);
      const item = classify(record, this.context.routes);
      if (item.kind === 'event') handling.sequences.set(item.event.producer.shard, item.event.producer.sequence);
      if (failure.kind === 'not-yet' && (item.kind === 'event' || item.kind === 'record')) {
        await handling.parkWaiting(item, failure.waitsFor);
      } else if (failure.kind === 'rejected' || failure.kind === 'fault') {
        handling.deadLetter(record, nameOf(item), failure.letter);
        if (item.kind !== 'skip' && item.route?.deadLetter === 'park-key') {
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
      await this.finish(runner, handling, from, slice.end);
      committed = handling;
      return slice.end;
    });
    committed?.observations.commit();
    return position;
  }

  private async lock(runner: QueryRunner, slice: Slice): Promise<number> {
    const { idleInTransactionMs, handlerDeadlineMs } = this.context.tuning;
    const position = await lockPosition(runner, this.id, {
      idleInTransactionMs,
      statementMs: handlerDeadlineMs + 1000,
    });
    if (position?.clusterId !== this.context.clusterId) throw new Behind(undefined);
    if (position.next < slice.start) throw new Behind(position.next);
    return position.next;
  }

  private async finish(runner: QueryRunner, handling: Handling, from: number, to: number): Promise<void> {
    await writeSequences(runner, this.id, handling.sequences);
    await writeOutbox(runner, handling.outgoing);
    await movePosition(runner, this.id, from, to);
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

  private succeeded(): void {
    this.failures = 0;
    this.limit = Math.min(this.context.tuning.chunkSize, this.limit * 2);
  }
}

/** An error outside a handler (commit, our own statements): whose fault it was is found by halving. */
function unlocated(error: unknown): { readonly failure: Failure; readonly offset: undefined } {
  const message = messageOf(error);
  if (isTransient(error)) return { failure: { kind: 'transient', message }, offset: undefined };
  const letter = { reason: 'fault', code: 'transaction_failed', message, stack: stackOf(error) } as const;
  return { failure: { kind: 'fault', letter }, offset: undefined };
}
