import { topics as catalogue, type TopicDefinition } from '@headrace/contracts';
import type { Brokers, EventLog, TopicConfig } from './log/port';
import { silentLogger, type MessagingLogger } from './logger';
import { openLog } from './open-log';
import { checkTopics } from './topic-check';

const definitions: readonly TopicDefinition[] = Object.values(catalogue);
const patterns = definitions.map((definition) => ({
  definition,
  pattern: new RegExp(`^${definition.name.replaceAll('.', '\\.').replace('{stream}', '[a-z][a-z0-9-]{0,62}')}$`),
}));

/** A topic of Headrace, so never a foreign one. */
export function isCatalogueTopic(name: string): boolean {
  return patterns.some(({ pattern }) => pattern.test(name));
}

/** As the catalogue has it; dead letters, redrives and unknown names get one partition and are kept for ever. */
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
export function createTopics(log: EventLog, topics: readonly (string | TopicConfig)[]): Promise<void> {
  return log.createTopics(topics.map((topic) => (typeof topic === 'string' ? topicConfigOf(topic) : topic)));
}

/** Creates what is missing; throws when what exists has other partitions or clean-up, warns of another retention. */
export async function establishTopics(
  log: EventLog,
  topics: readonly (string | TopicConfig)[],
  logger: MessagingLogger,
): Promise<void> {
  const wanted = topics.map((topic) => (typeof topic === 'string' ? topicConfigOf(topic) : topic));
  await createTopics(log, wanted);
  await checkTopics(log, wanted, logger);
}

/** As establishTopics, for who has no service running: tools, and topics that only a setting knows. */
export async function ensureTopics(
  brokers: Brokers,
  topics: readonly (string | TopicConfig)[],
  logger: MessagingLogger = silentLogger,
): Promise<void> {
  const log = openLog(brokers, 'headrace-topics', silentLogger);
  try {
    await establishTopics(log, topics, logger);
  } finally {
    await log.close();
  }
}
