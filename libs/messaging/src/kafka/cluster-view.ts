// What stands on a cluster, for command-line tools: topics with their settings, how far groups have come, the offsets of
// a moment.
import { Kafka, logLevel, type Admin } from 'kafkajs';
import type { TopicState } from '../log/port';
import { differencesOf, type TopicDifference } from '../topic-check';
import { isCatalogueTopic, topicConfigOf } from '../topics';
import { readTopicStates } from './kafka-topics';
import { topicOffsets, topicOffsetsAt } from './topic-offsets';

export interface TopicView extends TopicState {
  /** Offsets from the beginning to the end; compaction leaves fewer records than that. */
  readonly records: number;
  /** End offset (next to be written) of each partition. */
  readonly ends: ReadonlyMap<number, number>;
  /** Against the catalogue; empty for topics that do not stand in it. */
  readonly differences: readonly TopicDifference[];
}

/** Events between what a group has handled and the end. Groups report where they are to Kafka about every second. */
export interface GroupLag {
  readonly group: string;
  readonly topic: string;
  readonly lag: number;
}

export interface ClusterView {
  /** All topics but Kafka's own, by name. */
  topics(): Promise<TopicView[]>;
  /** Of every group and topic of which a position is known; `topics` as `topics()` gave them. */
  lags(topics: readonly TopicView[]): Promise<GroupLag[]>;
  /** For each partition the first offset at or after this time (milliseconds); its end when there is none. */
  offsetsAt(topic: string, timestampMs: number): Promise<Map<number, number>>;
  close(): Promise<void>;
}

/** Groups of one reader, which LogReader makes and removes. */
const READERS = 'headrace-reader.';

export function openClusterView(options: {
  /** host:port[,host:port] */
  readonly brokers: string;
  readonly clientId: string;
}): ClusterView {
  const { clientId, brokers } = options;
  const kafka = new Kafka({ clientId, brokers: brokers.split(','), logLevel: logLevel.NOTHING });
  let connecting: Promise<Admin> | undefined;
  const connected = (): Promise<Admin> => (connecting ??= connectAdmin(kafka));
  return {
    topics: async () => {
      const admin = await connected();
      const names = (await admin.listTopics()).filter((name) => !name.startsWith('__'));
      const views: TopicView[] = [];
      for (const state of await readTopicStates(admin, names)) {
        const offsets = await topicOffsets(admin, state.name);
        views.push({
          ...state,
          records: offsets.reduce((sum, { low, high }) => sum + high - low, 0),
          ends: new Map(offsets.map(({ partition, high }) => [partition, high])),
          differences: isCatalogueTopic(state.name) ? differencesOf(topicConfigOf(state.name), state) : [],
        });
      }
      return views.sort((a, b) => (a.name < b.name ? -1 : 1));
    },
    lags: async (topics) => {
      const admin = await connected();
      const ends = new Map(topics.map((topic) => [topic.name, topic.ends]));
      const lags: GroupLag[] = [];
      for (const { groupId } of (await admin.listGroups()).groups) {
        if (groupId.startsWith(READERS)) continue;
        for (const { topic, partitions } of await admin.fetchOffsets({ groupId })) {
          const known = partitions.filter(({ offset }) => Number(offset) >= 0);
          if (known.length === 0) continue;
          const lag = known.reduce((sum, { partition, offset }) => {
            const end = ends.get(topic)?.get(partition) ?? 0;
            return sum + Math.max(0, end - Number(offset));
          }, 0);
          lags.push({ group: groupId, topic, lag });
        }
      }
      return lags;
    },
    offsetsAt: async (topic, timestampMs) => topicOffsetsAt(await connected(), topic, timestampMs),
    close: async () => {
      await (await connecting?.catch(() => undefined))?.disconnect();
    },
  };
}

async function connectAdmin(kafka: Kafka): Promise<Admin> {
  const admin = kafka.admin({ retry: { initialRetryTime: 50, maxRetryTime: 1000, retries: 5 } });
  await admin.connect();
  return admin;
}
