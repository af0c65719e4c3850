import { topics as catalogue, type TopicDefinition } from '@headrace/contracts';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Admin, IResourceConfigEntry, ITopicConfig } from 'kafkajs';
import { KafkaClient } from './kafka-client';
import { silentLogger } from './logger';

/** What a topic is created with. */
export interface TopicConfig {
  readonly name: string;
  readonly partitions: number;
  readonly cleanup: 'delete' | 'compact';
  /** Milliseconds; −1 keeps for ever. */
  readonly retentionMs: number;
}

const definitions: readonly TopicDefinition[] = Object.values(catalogue);
const patterns = definitions.map((definition) => ({
  definition,
  pattern: new RegExp(`^${definition.name.replaceAll('.', '\\.').replace('{stream}', '[a-z][a-z0-9-]{0,62}')}$`),
}));

/** A topic of Headrace, so never a foreign one. */
export function isCatalogueTopic(name: string): boolean {
  return patterns.some(({ pattern }) => pattern.test(name));
}

/** As the catalogue has it; dead letters and unknown names get one partition and are kept for ever. */
export function topicConfigOf(name: string): TopicConfig {
  const found = patterns.find(({ pattern }) => pattern.test(name))?.definition;
  if (!found) return { name, partitions: 1, cleanup: 'delete', retentionMs: -1 };
  return { name, partitions: found.partitions, cleanup: found.cleanup, retentionMs: found.retentionMs };
}

/** Topics of the catalogue that exist without any stream. */
export function staticTopics(): string[] {
  return definitions.filter(({ name }) => !name.includes('{stream}')).map(({ name }) => name);
}

/** Creates what is missing, leaves what exists. Names are looked up in the catalogue. */
export async function ensureTopics(
  brokers: readonly string[],
  topics: readonly (string | TopicConfig)[],
): Promise<void> {
  const client = new KafkaClient('headrace-topics', brokers, silentLogger);
  try {
    await createTopics(await client.admin(), topics);
  } finally {
    await client.close();
  }
}

const LEADERS_TIMEOUT_MS = 30_000;
const LEADERS_POLL_MS = 50;

/** Creates what is missing and waits until every partition of all of them has a leader. */
export async function createTopics(admin: Admin, topics: readonly (string | TopicConfig)[]): Promise<void> {
  const existing = new Set(await admin.listTopics());
  const missing = topics
    .map((topic): TopicConfig => (typeof topic === 'string' ? topicConfigOf(topic) : topic))
    .filter(({ name }) => !existing.has(name));
  if (missing.length === 0) return;
  try {
    // kafkajs' own waiting for leaders gives up when the broker does not know its fresh topic yet.
    await admin.createTopics({ topics: missing.map(kafkaConfigOf), waitForLeaders: false });
  } catch (error) {
    // Another instance may have made them meanwhile.
    const now = new Set(await admin.listTopics());
    if (missing.some(({ name }) => !now.has(name))) throw error;
  }
  await leadersOf(
    admin,
    missing.map(({ name }) => name),
  );
}

async function leadersOf(admin: Admin, names: string[]): Promise<void> {
  const deadline = Date.now() + LEADERS_TIMEOUT_MS;
  for (;;) {
    try {
      const { topics } = await admin.fetchTopicMetadata({ topics: names });
      if (topics.every(({ partitions }) => partitions.length > 0 && partitions.every(({ leader }) => leader >= 0)))
        return;
      if (Date.now() > deadline) throw new Error(`topics ${names.join(', ')} have no leader after 30 s`);
    } catch (error) {
      if (!isOnItsWay(error) || Date.now() > deadline) throw error;
    }
    await sleep(LEADERS_POLL_MS);
  }
}

function isOnItsWay(error: unknown): boolean {
  const type = error instanceof Error && 'type' in error ? error.type : undefined;
  return type === 'UNKNOWN_TOPIC_OR_PARTITION' || type === 'LEADER_NOT_AVAILABLE';
}

function kafkaConfigOf(topic: TopicConfig): ITopicConfig {
  const configEntries: IResourceConfigEntry[] = [{ name: 'cleanup.policy', value: topic.cleanup }];
  if (topic.cleanup === 'delete') configEntries.push({ name: 'retention.ms', value: String(topic.retentionMs) });
  // A dead letter is its original plus the headers that say why.
  if (topic.name.endsWith('.dlq')) configEntries.push({ name: 'max.message.bytes', value: String(2 * 1024 * 1024) });
  return { topic: topic.name, numPartitions: topic.partitions, replicationFactor: 1, configEntries };
}
