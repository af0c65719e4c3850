import { nowMicros } from '@headrace/event-time';
import { BULK_PUBLISHER, type BulkPublisher, type Cause, type Transaction } from '@headrace/messaging';
import { Inject, Injectable } from '@nestjs/common';
import {
  addToWindows,
  endDegradation,
  enterDegradation,
  readDegradation,
  windowsAfter,
} from '../database/quality.repository';
import { enterEvents } from '../database/seen-events.repository';
import { addCounts, lockPartition, savePartition } from '../database/stream-partitions.repository';
import type { UpstreamRecord } from '../domain/cloud-event';
import { judgeRecord, type Judgement, type RejectedRecord } from '../domain/judge-record';
import { countWindows, judgeQuality } from '../domain/quality';
import { sortBatch, type SortedBatch } from '../domain/sort-batch';
import type { StreamRules } from '../domain/stream-rules';
import { publishQualityChange } from '../events-out/quality';
import { dataArrived, dataRejected, originId } from '../events-out/records';
import { recordsTotal } from '../metrics';

/**
 * Judges a batch of one partition, publishes what became of it and counts it, in the transaction that moves the
 * position. The records are acknowledged by Kafka before the transaction commits: a crash in between publishes them
 * again under the same origin, which consumers recognise, and counts them once.
 */
@Injectable()
export class AcceptRecords {
  constructor(@Inject(BULK_PUBLISHER) private readonly publisher: BulkPublisher) {}

  async run(rules: StreamRules, records: readonly UpstreamRecord[], transaction: Transaction): Promise<void> {
    const [first] = records;
    if (!first) return;
    const id = { stream: rules.stream, topic: first.topic, partition: first.partition };
    const state = await lockPartition(transaction, id);
    const clock = nowMicros();
    const judgements = records.map((record) => judgeRecord(rules, record, clock));
    const identities = judgements.flatMap((one) => (one.kind === 'accepted' ? [one.identity] : []));
    const fresh = await enterEvents(transaction, rules.stream, identities);
    const sorted = sortBatch(judgements, fresh, state.leastKnownMicros, clock);

    const stream = { name: rules.stream, version: rules.version };
    const published = await this.publisher.publish([
      ...sorted.accepted.map((record) => dataArrived(stream, record)),
      ...sorted.rejected.map((record) => dataRejected(stream, record, clock)),
    ]);

    const reached = state.reachedEventMicros ?? first.timestampMs * 1_000;
    await savePartition(transaction, id, {
      accepted: sorted.accepted.length,
      rejected: sorted.rejected.length,
      duplicates: sorted.duplicates,
      rejectedByCode: addCounts([state.rejectedByCode, countByCode(sorted.rejected)]),
      lastKnownMicros: sorted.accepted.length > 0 ? sorted.lastKnownMicros : undefined,
      reachedEventMicros: sorted.accepted.at(-1)?.accepted.eventTimeMicros,
    });
    await followQuality(rules, judgements, sorted, lastOf(judgements, published), reached, transaction);
    // The commit can still fail and the batch come again: these counters are for rates, the tables for truth.
    recordsTotal.inc({ stream: rules.stream, outcome: 'accepted' }, sorted.accepted.length);
    recordsTotal.inc({ stream: rules.stream, outcome: 'rejected' }, sorted.rejected.length);
    recordsTotal.inc({ stream: rules.stream, outcome: 'duplicate' }, sorted.duplicates);
  }
}

/** Last in the transaction, because the partitions of a stream share its windows. */
async function followQuality(
  rules: StreamRules,
  judgements: readonly Judgement[],
  sorted: SortedBatch,
  cause: Cause | undefined,
  reachedMicros: number,
  transaction: Transaction,
): Promise<void> {
  if (!cause) return;
  const { stream, quality } = rules;
  const counted = await addToWindows(
    transaction,
    stream,
    countWindows(judgements, sorted, reachedMicros, quality.windowMicros),
  );
  const state = await readDegradation(transaction, stream);
  const windows = state
    ? await windowsAfter(transaction, stream, state.windowStartMicros, quality.windowMicros)
    : counted;
  const change = judgeQuality(state, windows, quality);
  if (!change) return;
  const isFirst =
    change.kind === 'degraded'
      ? await enterDegradation(transaction, stream, change.window.startMicros)
      : await endDegradation(transaction, stream);
  if (isFirst) publishQualityChange(transaction, stream, quality.threshold, change, cause);
}

/** The newest event that the batch became. */
function lastOf(judgements: readonly Judgement[], published: readonly Cause[]): Cause | undefined {
  const byId = new Map(published.map((cause) => [cause.eventId, cause]));
  const last = judgements.findLast(({ record }) => byId.has(originId(record)));
  return last && byId.get(originId(last.record));
}

function countByCode(rejected: readonly RejectedRecord[]): Record<string, number> {
  return addCounts(rejected.map((record) => ({ [record.violations[0].code]: 1 })));
}
