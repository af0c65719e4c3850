import type { KafkaClient } from './kafka-client';
import type { MessagingLogger } from './logger';
import { Broadcast } from './log-reader-broadcast';
import { readRanges, type OffsetRange } from './log-reader-range';
import { createTopics, isCatalogueTopic } from './topics';
import type { BroadcastSubscription, LogEvent, LogReader } from './types';
import { topicOffsets } from './topic-offsets';

export class KafkaLogReader implements LogReader {
  private readonly open = new Set<Broadcast>();

  constructor(
    private readonly client: KafkaClient,
    private readonly service: string,
    private readonly logger: MessagingLogger,
  ) {}

  async broadcast(topic: string, onEvent: (event: LogEvent) => void): Promise<BroadcastSubscription> {
    if (isCatalogueTopic(topic)) await createTopics(await this.client.admin(), [topic]);
    const broadcast = new Broadcast({
      client: this.client,
      service: this.service,
      logger: this.logger,
      topic,
      onEvent,
    });
    this.open.add(broadcast);
    await broadcast.start();
    return {
      caughtUp: broadcast.caughtUp,
      close: async () => {
        this.open.delete(broadcast);
        await broadcast.close();
      },
    };
  }

  async endOffsets(topic: string): Promise<Map<number, number>> {
    const admin = await this.client.admin();
    if (!(await admin.listTopics()).includes(topic)) return new Map();
    const offsets = await topicOffsets(admin, topic);
    return new Map(offsets.map(({ partition, high }) => [partition, Number(high)] as const).sort(([a], [b]) => a - b));
  }

  async readRange(
    topic: string,
    ranges: ReadonlyMap<number, OffsetRange>,
    onBatch: (events: LogEvent[]) => Promise<void> | void,
  ): Promise<void> {
    const wanted = new Map([...ranges].filter(([, { from, to }]) => from < to));
    if (wanted.size === 0) return;
    const ends = await this.endOffsets(topic);
    for (const [partition, { to }] of wanted) {
      const end = ends.get(partition);
      if (end === undefined || end < to) {
        throw new RangeError(
          `topic ${topic}, partition ${partition} ends at ${end ?? 'nothing'}, asked to read up to ${to}`,
        );
      }
    }
    await readRanges({
      client: this.client,
      service: this.service,
      logger: this.logger,
      topic,
      ranges: wanted,
      onBatch,
    });
  }

  async close(): Promise<void> {
    const broadcasts = [...this.open];
    this.open.clear();
    await Promise.all(broadcasts.map((broadcast) => broadcast.close()));
  }
}
