import { setTimeout as sleep } from 'node:timers/promises';
import type { Admin } from 'kafkajs';

const TIMEOUT_MS = 10_000;
const POLL_MS = 50;
/** What a broker answers for a moment after a topic was made or a leader changed. */
const PASSING: ReadonlySet<unknown> = new Set([
  'NOT_LEADER_FOR_PARTITION',
  'LEADER_NOT_AVAILABLE',
  'UNKNOWN_TOPIC_OR_PARTITION',
]);

export type TopicOffsets = Awaited<ReturnType<Admin['fetchTopicOffsets']>>;

/** Low and high offsets of each partition; waits while a leader is being chosen. The topic must exist. */
export async function topicOffsets(admin: Admin, topic: string): Promise<TopicOffsets> {
  const deadline = Date.now() + TIMEOUT_MS;
  for (;;) {
    try {
      return await admin.fetchTopicOffsets(topic);
    } catch (error) {
      const passing = error instanceof Error && 'type' in error && PASSING.has(error.type);
      if (!passing || Date.now() > deadline) throw error;
    }
    await sleep(POLL_MS);
  }
}
