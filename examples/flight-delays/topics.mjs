import { setTimeout as delay } from 'node:timers/promises';

/** Makes topics and waits until every partition can be written. (kafkajs' own waiting gives up on a fresh topic.) */
export async function makeTopics(admin, topics) {
  await admin.createTopics({ topics, waitForLeaders: false });
  for (;;) {
    try {
      const { topics: found } = await admin.fetchTopicMetadata({ topics: topics.map(({ topic }) => topic) });
      if (found.every(({ partitions }) => partitions.length > 0 && partitions.every(({ leader }) => leader >= 0)))
        return;
    } catch (error) {
      if (error.type !== 'UNKNOWN_TOPIC_OR_PARTITION' && error.type !== 'LEADER_NOT_AVAILABLE') throw error;
    }
    await delay(50);
  }
}
