import { uniqueName } from '@headrace/testing';
import type { RawRecord } from '@headrace/messaging';
import type { EventLog } from '../src/log/port';

/** What stands on a topic at the moment, partition by partition in order; nothing when it does not exist. */
export async function wholeTopic(log: EventLog, topic: string): Promise<RawRecord[]> {
  if (!(await log.topicNames()).has(topic)) return [];
  const wanted = (await log.offsets(topic)).reduce((sum, { low, high }) => sum + high - low, 0);
  if (wanted === 0) return [];
  const records: RawRecord[] = [];
  const consumer = log.consumer({
    group: uniqueName('whole-topic'),
    sessionTimeoutMs: 10_000,
    heartbeatMs: 1000,
    maxWaitMs: 50,
    concurrentPartitions: 1,
    passing: true,
  });
  try {
    await new Promise<void>((resolve, reject) => {
      const onBatch: Parameters<typeof consumer.start>[1]['onBatch'] = (batch) => {
        records.push(...batch.records);
        batch.moved(batch.end);
        if (records.length >= wanted) resolve();
        return Promise.resolve();
      };
      consumer.start([topic], { onJoined: () => undefined, onBatch, onGivenUp: reject }).catch(reject);
    });
  } finally {
    await consumer.stop();
  }
  return records.sort((a, b) => a.partition - b.partition || a.offset - b.offset);
}
