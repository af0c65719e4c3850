import { setTimeout as sleep } from 'node:timers/promises';
import { ConfigResourceTypes, type Admin, type IResourceConfigEntry, type ITopicConfig } from 'kafkajs';
import { ownMaxBatchBytes } from '../log/limits';
import type { TopicConfig, TopicState } from '../log/port';

/** Kafka's `default.replication.factor`. How many copies must confirm (`min.insync.replicas`) is the broker's matter, too. */
const BROKERS_DEFAULT = -1;
const LEADERS_TIMEOUT_MS = 30_000;
const LEADERS_POLL_MS = 50;

/** Creates what is missing and waits until every partition of all of them has a leader. */
export async function createKafkaTopics(admin: Admin, topics: readonly TopicConfig[]): Promise<void> {
  const existing = new Set(await admin.listTopics());
  const missing = topics.filter(({ name }) => !existing.has(name));
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
  const maxBytes = ownMaxBatchBytes(topic.name);
  if (maxBytes !== undefined) configEntries.push({ name: 'max.message.bytes', value: String(maxBytes) });
  return {
    topic: topic.name,
    numPartitions: topic.partitions,
    replicationFactor: topic.replicationFactor ?? BROKERS_DEFAULT,
    configEntries,
  };
}

/** Of topics that exist. */
export async function readTopicStates(admin: Admin, names: readonly string[]): Promise<TopicState[]> {
  if (names.length === 0) return [];
  const { topics } = await admin.fetchTopicMetadata({ topics: [...names] });
  const { resources } = await admin.describeConfigs({
    includeSynonyms: false,
    resources: names.map((name) => ({
      type: ConfigResourceTypes.TOPIC,
      name,
      configNames: ['cleanup.policy', 'retention.ms'],
    })),
  });
  const settings = new Map(
    resources.map(({ resourceName, configEntries }) => [
      resourceName,
      new Map(configEntries.map(({ configName, configValue }) => [configName, configValue])),
    ]),
  );
  return topics.map(({ name, partitions }) => ({
    name,
    partitions: partitions.length,
    cleanup: settings.get(name)?.get('cleanup.policy') ?? '',
    retentionMs: Number(settings.get(name)?.get('retention.ms') ?? Number.NaN),
  }));
}
