import { setTimeout as sleep } from 'node:timers/promises';
import { messageOf, stackOf } from './faults';
import type { EventLog, LogBatch, LogConsumer } from './log/port';
import { EventDecoder, privateConsumer } from './log-reader-events';
import type { MessagingLogger } from './logger';
import type { LogEvent } from './types';

const MAX_WAIT_MS = 500;
const RESTART_MS = 1000;

export interface BroadcastOptions {
  readonly log: EventLog;
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
  private consumer: LogConsumer | undefined;
  private closed = false;

  constructor(private readonly options: BroadcastOptions) {
    this.decoder = new EventDecoder(options.topic, options.logger);
    this.caughtUp = new Promise((resolve) => {
      this.resolveCaughtUp = resolve;
    });
  }

  async start(): Promise<void> {
    const { log, topic } = this.options;
    for (const { partition, low, high } of await log.offsets(topic)) {
      this.next.set(partition, low);
      if (high > low) this.behind.set(partition, high);
    }
    if (this.behind.size === 0) this.resolveCaughtUp();
    await this.consume();
  }

  async close(): Promise<void> {
    this.closed = true;
    await this.consumer?.stop();
    this.consumer = undefined;
  }

  private async consume(): Promise<void> {
    const { log, service, topic } = this.options;
    const consumer = privateConsumer(log, service, MAX_WAIT_MS);
    this.consumer = consumer;
    await consumer.start([topic], {
      onJoined: (assignment) => {
        for (const partition of assignment.get(topic) ?? []) {
          consumer.seek(topic, partition, this.next.get(partition) ?? 0);
        }
      },
      onBatch: (batch) => this.onBatch(batch),
      onPassed: (_topic, partition, next) => this.delivered(partition, next),
      onGivenUp: (error) => {
        if (!this.closed) void this.restart(consumer, error);
      },
    });
  }

  private async restart(consumer: LogConsumer, error: Error): Promise<void> {
    const { logger, topic } = this.options;
    logger.warn({ topic, fault: error.message }, 'broadcast reading stopped, beginning again');
    await consumer.stop().catch(() => undefined);
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

  private onBatch(batch: LogBatch): Promise<void> {
    const { partition } = batch;
    for (const record of batch.records) {
      if (this.closed) return Promise.resolve();
      if (record.offset < (this.next.get(partition) ?? 0)) continue;
      const event = this.decoder.decode(record);
      if (event) this.deliver(event);
      this.next.set(partition, record.offset + 1);
    }
    batch.moved(batch.end);
    this.delivered(partition, batch.end);
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
