import type { EachBatchPayload } from 'kafkajs';
import { asError } from './faults';
import type { KafkaClient } from './kafka-client';
import { EventDecoder, leave, privateGroup, whileBeating } from './log-reader-events';
import type { MessagingLogger } from './logger';
import type { LogEvent } from './types';

/** Short, because stopping waits for the fetch under way; what is read is there already, so nothing else waits. */
const MAX_WAIT_MS = 50;

export interface OffsetRange {
  readonly from: number;
  readonly to: number;
}

export interface RangeOptions {
  readonly client: KafkaClient;
  readonly service: string;
  readonly logger: MessagingLogger;
  readonly topic: string;
  /** None empty, all within the log. */
  readonly ranges: ReadonlyMap<number, OffsetRange>;
  readonly onBatch: (events: LogEvent[]) => Promise<void> | void;
}

export async function readRanges(options: RangeOptions): Promise<void> {
  const { client, service, logger, topic, ranges } = options;
  const group = privateGroup(client, service, MAX_WAIT_MS);
  const { consumer } = group;
  const next = new Map([...ranges].map(([partition, { from }]) => [partition, from]));
  const decoder = new EventDecoder(topic, logger);
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
        consumer.pause([{ topic, partitions: [partition] }]);
        if ([...ranges].every(([wanted, range]) => (next.get(wanted) ?? 0) >= range.to)) resolve();
      };
      // Synchronously before the first fetch: nothing outside the ranges is transferred.
      consumer.on(consumer.events.GROUP_JOIN, ({ payload }) => {
        for (const partition of payload.memberAssignment[topic] ?? []) {
          const range = ranges.get(partition);
          const offset = next.get(partition);
          if (range === undefined || offset === undefined || offset >= range.to) {
            consumer.pause([{ topic, partitions: [partition] }]);
          } else consumer.seek({ topic, partition, offset: String(offset) });
        }
      });
      // Also told of batches that hold nothing but control records.
      consumer.on(consumer.events.END_BATCH_PROCESS, ({ payload }) => {
        if (!failed) progress(payload.partition, Number(payload.lastOffset) + 1);
      });
      consumer.on(consumer.events.CRASH, ({ payload }) => {
        if (!payload.restart) fail(payload.error);
      });
      const eachBatch = async ({ batch, heartbeat }: EachBatchPayload): Promise<void> => {
        const range = ranges.get(batch.partition);
        const from = next.get(batch.partition);
        if (failed || range === undefined || from === undefined) return;
        const events: LogEvent[] = [];
        for (const message of batch.messages) {
          const offset = Number(message.offset);
          if (offset < from || offset >= range.to) continue;
          const event = decoder.decode(batch.partition, message);
          if (event) events.push(event);
        }
        const last = batch.messages.at(-1);
        if (last) next.set(batch.partition, Math.max(from, Number(last.offset) + 1));
        if (events.length === 0) return;
        await whileBeating(heartbeat, async () => {
          try {
            await options.onBatch(events);
          } catch (error) {
            fail(error);
          }
        });
      };
      const begin = async (): Promise<void> => {
        await consumer.connect();
        await consumer.subscribe({ topics: [topic], fromBeginning: true });
        await consumer.run({ autoCommit: false, eachBatch });
      };
      begin().catch(fail);
    });
  } finally {
    await leave(client, group, logger);
  }
}
