import { setTimeout as sleep } from 'node:timers/promises';
import type { Admin } from 'kafkajs';
import type { PartitionOffsets } from '../log/port';

const TIMEOUT_MS = 10_000;
const POLL_MS = 50;
/** What a broker answers for a moment after a topic was made or a leader changed. */
const PASSING: ReadonlySet<unknown> = new Set([
  'NOT_LEADER_FOR_PARTITION',
  'LEADER_NOT_AVAILABLE',
  'UNKNOWN_TOPIC_OR_PARTITION',
]);

/** Low and high offsets of each partition; waits while a leader is being chosen. The topic must exist. */
export async function topicOffsets(admin: Admin, topic: string): Promise<PartitionOffsets[]> {
  const found = await onceLed(() => admin.fetchTopicOffsets(topic));
  return found.map(({ partition, low, high }) => ({ partition, low: Number(low), high: Number(high) }));
}

/** For each partition the first offset at or after this time (milliseconds); its end when there is none. Waits likewise. */
export async function topicOffsetsAt(admin: Admin, topic: string, timestampMs: number): Promise<Map<number, number>> {
  const found = await onceLed(() => admin.fetchTopicOffsetsByTimestamp(topic, timestampMs));
  return new Map(found.map(({ partition, offset }) => [partition, Number(offset)]));
}

async function onceLed<T>(ask: () => Promise<T>): Promise<T> {
  const deadline = Date.now() + TIMEOUT_MS;
  for (;;) {
    try {
      return await ask();
    } catch (error) {
      const passing = error instanceof Error && (isLeaderless(error) || ('type' in error && PASSING.has(error.type)));
      if (!passing || Date.now() > deadline) throw error;
    }
    await sleep(POLL_MS);
  }
}

/** Of a topic whose leaders it does not know yet kafkajs gets no offsets, and then fails to take the first of them. */
function isLeaderless(error: Error): boolean {
  return error.name === 'TypeError' && error.message.includes("'partitions'");
}
