import { asError } from './faults';
import type { EventLog, LogBatch } from './log/port';
import { privateConsumer } from './log-reader-events';
import type { RawRecord } from './types';

/** Short, because stopping waits for the fetch under way; what is read is there already, so nothing else waits. */
const MAX_WAIT_MS = 50;

export interface OffsetRange {
  readonly from: number;
  readonly to: number;
}

export interface RangeOptions<E> {
  readonly log: EventLog;
  readonly service: string;
  readonly topic: string;
  /** None empty, all within the log. */
  readonly ranges: ReadonlyMap<number, OffsetRange>;
  /** Undefined: passed over. */
  readonly decode: (record: RawRecord) => E | undefined;
  readonly onBatch: (events: E[]) => Promise<void> | void;
}

export async function readRanges<E>(options: RangeOptions<E>): Promise<void> {
  const { log, service, topic, ranges, decode } = options;
  const consumer = privateConsumer(log, service, MAX_WAIT_MS);
  const next = new Map([...ranges].map(([partition, { from }]) => [partition, from]));
  let failed = false;
  try {
    await new Promise<void>((resolve, reject) => {
      const fail = (error: unknown): void => {
        failed = true;
        reject(asError(error));
      };
      const progress = (partition: number, to: number): void => {
        next.set(partition, Math.max(to, next.get(partition) ?? 0));
        if ((next.get(partition) ?? 0) < (ranges.get(partition)?.to ?? 0)) return;
        consumer.pause(topic, partition);
        if ([...ranges].every(([wanted, range]) => (next.get(wanted) ?? 0) >= range.to)) resolve();
      };
      const onBatch = async (batch: LogBatch): Promise<void> => {
        const range = ranges.get(batch.partition);
        const from = next.get(batch.partition);
        if (failed || range === undefined || from === undefined) return;
        const events: E[] = [];
        for (const record of batch.records) {
          if (record.offset < from || record.offset >= range.to) continue;
          const event = decode(record);
          if (event) events.push(event);
        }
        next.set(batch.partition, Math.max(from, batch.end));
        batch.moved(batch.end);
        try {
          if (events.length > 0) await options.onBatch(events);
          progress(batch.partition, batch.end);
        } catch (error) {
          fail(error);
        }
      };
      consumer
        .start([topic], {
          // Nothing outside the ranges is transferred.
          onJoined: (assignment) => {
            for (const partition of assignment.get(topic) ?? []) {
              const range = ranges.get(partition);
              const offset = next.get(partition);
              if (range === undefined || offset === undefined || offset >= range.to) consumer.pause(topic, partition);
              else consumer.seek(topic, partition, offset);
            }
          },
          onBatch,
          onPassed: (_topic, partition, to) => {
            if (!failed) progress(partition, to);
          },
          onGivenUp: fail,
        })
        .catch(fail);
    });
  } finally {
    await consumer.stop();
  }
}
