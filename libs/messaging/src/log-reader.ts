import type { EventLog } from './log/port';
import type { MessagingLogger } from './logger';
import { Broadcast } from './log-reader-broadcast';
import { EventDecoder } from './log-reader-events';
import { readRanges, type OffsetRange } from './log-reader-range';
import { createTopics, isCatalogueTopic } from './topics';
import type { BroadcastSubscription, LogEvent, LogReader } from './types';

export class EventLogReader implements LogReader {
  private readonly open = new Set<Broadcast>();

  constructor(
    private readonly log: EventLog,
    private readonly service: string,
    private readonly logger: MessagingLogger,
  ) {}

  async broadcast(topic: string, onEvent: (event: LogEvent) => void): Promise<BroadcastSubscription> {
    if (isCatalogueTopic(topic)) await createTopics(this.log, [topic]);
    const broadcast = new Broadcast({
      log: this.log,
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
    if (!(await this.log.topicNames()).has(topic)) return new Map();
    const offsets = await this.log.offsets(topic);
    return new Map(offsets.map(({ partition, high }) => [partition, high] as const).sort(([a], [b]) => a - b));
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
    const decoder = new EventDecoder(topic, this.logger);
    await readRanges({
      log: this.log,
      service: this.service,
      topic,
      ranges: wanted,
      decode: (record) => decoder.decode(record),
      onBatch,
    });
  }

  async close(): Promise<void> {
    const broadcasts = [...this.open];
    this.open.clear();
    await Promise.all(broadcasts.map((broadcast) => broadcast.close()));
  }
}
