import { setTimeout as sleep } from 'node:timers/promises';
import type { EachBatchPayload } from 'kafkajs';
import { messageOf, stackOf } from './faults';
import type { KafkaClient } from './kafka-client';
import { EventDecoder, leave, privateGroup, type PrivateGroup } from './log-reader-events';
import type { MessagingLogger } from './logger';
import type { LogEvent } from './types';
import { topicOffsets } from './topic-offsets';

const MAX_WAIT_MS = 500;
const RESTART_MS = 1000;

export interface BroadcastOptions {
  readonly client: KafkaClient;
  readonly service: string;
  readonly logger: MessagingLogger;
  readonly topic: string;
  readonly onEvent: (event: LogEvent) => void;
}

/** Everything on a topic from its beginning, then live. Goes on after an outage where it stopped. */
export class Broadcast {
  readonly caughtUp: Promise<void>;
  private resolveCaughtUp: () => void = () => undefined;
  private readonly decoder: EventDecoder;
  /** Next offset of each partition to be delivered. */
  private readonly next = new Map<number, number>();
  /** What must be delivered before `caughtUp`. */
  private readonly behind = new Map<number, number>();
  private group: PrivateGroup | undefined;
  private closed = false;

  constructor(private readonly options: BroadcastOptions) {
    this.decoder = new EventDecoder(options.topic, options.logger);
    this.caughtUp = new Promise((resolve) => {
      this.resolveCaughtUp = resolve;
    });
  }

  async start(): Promise<void> {
    const { client, topic } = this.options;
    for (const { partition, low, high } of await topicOffsets(await client.admin(), topic)) {
      this.next.set(partition, Number(low));
      if (Number(high) > Number(low)) this.behind.set(partition, Number(high));
    }
    if (this.behind.size === 0) this.resolveCaughtUp();
    await this.consume();
  }

  async close(): Promise<void> {
    this.closed = true;
    if (this.group) await leave(this.options.client, this.group, this.options.logger);
    this.group = undefined;
  }

  private async consume(): Promise<void> {
    const { client, service, topic } = this.options;
    const group = privateGroup(client, service, MAX_WAIT_MS);
    this.group = group;
    const { consumer } = group;
    consumer.on(consumer.events.GROUP_JOIN, ({ payload }) => {
      for (const partition of payload.memberAssignment[topic] ?? []) {
        consumer.seek({ topic, partition, offset: String(this.next.get(partition) ?? 0) });
      }
    });
    // Also told of batches that hold nothing but control records.
    consumer.on(consumer.events.END_BATCH_PROCESS, ({ payload }) => {
      this.delivered(payload.partition, Number(payload.lastOffset) + 1);
    });
    consumer.on(consumer.events.CRASH, ({ payload }) => {
      if (!payload.restart && !this.closed) void this.restart(group, payload.error);
    });
    await consumer.connect();
    await consumer.subscribe({ topics: [topic], fromBeginning: true });
    await consumer.run({ autoCommit: false, eachBatch: (payload) => this.eachBatch(payload) });
  }

  private async restart(group: PrivateGroup, error: Error): Promise<void> {
    const { logger, client, topic } = this.options;
    logger.warn({ topic, fault: error.message }, 'broadcast reading stopped, beginning again');
    await leave(client, group, logger).catch(() => undefined);
    while (!this.closed) {
      await sleep(RESTART_MS);
      if (this.closed) return;
      try {
        await this.consume();
        return;
      } catch (failure) {
        logger.warn({ topic, fault: messageOf(failure) }, 'broadcast reading cannot begin yet');
      }
    }
  }

  private eachBatch({ batch, isRunning }: EachBatchPayload): Promise<void> {
    const { partition } = batch;
    for (const message of batch.messages) {
      if (this.closed || !isRunning()) break;
      if (Number(message.offset) < (this.next.get(partition) ?? 0)) continue;
      const event = this.decoder.decode(partition, message);
      if (event) this.deliver(event);
      this.next.set(partition, Number(message.offset) + 1);
    }
    return Promise.resolve();
  }

  private deliver(event: LogEvent): void {
    try {
      this.options.onEvent(event);
    } catch (error) {
      const { topic, partition, offset, type } = event;
      this.options.logger.error({ topic, partition, offset, type, stack: stackOf(error) }, 'broadcast listener failed');
    }
  }

  private delivered(partition: number, next: number): void {
    this.next.set(partition, Math.max(next, this.next.get(partition) ?? 0));
    const end = this.behind.get(partition);
    if (end === undefined || next < end) return;
    this.behind.delete(partition);
    if (this.behind.size === 0) this.resolveCaughtUp();
  }
}
