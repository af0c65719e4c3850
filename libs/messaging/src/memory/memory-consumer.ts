import { setTimeout as sleep } from 'node:timers/promises';
import { stackOf } from '../faults';
import type { ConsumerListener, ConsumerOptions, LogConsumer } from '../log/port';
import type { MessagingLogger } from '../logger';
import type { RawRecord } from '../types';
import type { GroupMember, MemoryGroup } from './memory-group';
import type { MemoryTopic } from './memory-topic';

const DEFAULT_BYTES = 1024 * 1024;
/** Before a batch is given again whose listener rejected. */
const AGAIN_MS = 50;

/** One assigned partition. */
interface Cursor {
  readonly topic: string;
  readonly partition: number;
  next: number;
  /** Rises with each seek: a batch from before it moves nothing. */
  seeks: number;
  busy: boolean;
}

export interface ConsumerBroker {
  readonly group: MemoryGroup;
  topic(name: string): MemoryTopic | undefined;
  /** The listener is told, soon and once, of each append or several of them. Returns how to stop that. */
  onAppend(listener: () => void): () => void;
}

export class MemoryConsumer implements LogConsumer, GroupMember {
  topics: readonly string[] = [];
  readonly sessionTimeoutMs: number;
  private listener: ConsumerListener | undefined;
  private readonly cursors = new Map<string, Cursor>();
  private readonly paused = new Set<string>();
  private inHand = 0;
  /** From the call to a rebalance (or before joining) to the next assignment. */
  private waiting = true;
  private outside = false;
  private stopping = false;
  private idle: (() => void) | undefined;
  private unsubscribe: () => void = () => undefined;

  constructor(
    private readonly broker: ConsumerBroker,
    private readonly options: ConsumerOptions,
    private readonly logger: MessagingLogger,
  ) {
    this.sessionTimeoutMs = options.sessionTimeoutMs;
  }

  start(topics: readonly string[], listener: ConsumerListener): Promise<void> {
    const missing = topics.find((topic) => !this.broker.topic(topic));
    if (missing !== undefined) return Promise.reject(new Error(`topic ${missing} does not exist`));
    this.topics = [...topics];
    this.listener = listener;
    this.unsubscribe = this.broker.onAppend(() => this.pump());
    this.broker.group.join(this);
    return Promise.resolve();
  }

  seek(topic: string, partition: number, offset: number): void {
    const cursor = this.cursors.get(`${topic}/${partition}`);
    if (!cursor) return;
    cursor.next = offset;
    cursor.seeks += 1;
    this.soon();
  }

  pause(topic: string, partition: number): void {
    this.paused.add(`${topic}/${partition}`);
  }

  resume(topic: string, partition: number): void {
    if (this.paused.delete(`${topic}/${partition}`)) this.soon();
  }

  report(positions: readonly { topic: string; partition: number; next: number }[]): Promise<void> {
    for (const { topic, partition, next } of positions) this.broker.group.reported.set(`${topic}/${partition}`, next);
    return Promise.resolve();
  }

  async stop(): Promise<void> {
    this.stopping = true;
    this.unsubscribe();
    if (this.inHand > 0) await new Promise<void>((resolve) => (this.idle = resolve));
    this.broker.group.leave(this);
    if (this.options.passing === true) this.broker.group.reported.clear();
  }

  rebalance(): void {
    this.waiting = true;
    if (this.inHand === 0) this.settle();
  }

  expelled(): void {
    this.outside = true;
  }

  assigned(assignment: ReadonlyMap<string, readonly number[]>): void {
    if (this.stopping) return;
    this.waiting = false;
    this.cursors.clear();
    for (const [topic, partitions] of assignment) {
      for (const partition of partitions) {
        const key = `${topic}/${partition}`;
        const next = this.broker.group.reported.get(key) ?? 0;
        this.cursors.set(key, { topic, partition, next, seeks: 0, busy: false });
      }
    }
    this.listener?.onJoined(assignment);
    this.soon();
  }

  /** After the caller: nothing is given inside a call of the port. */
  private soon(): void {
    setImmediate(() => this.pump());
  }

  private settle(): void {
    if (this.stopping) return;
    if (this.outside) {
      this.outside = false;
      setImmediate(() => {
        if (!this.stopping) this.broker.group.join(this);
      });
    } else this.broker.group.settled(this);
  }

  private pump(): void {
    for (const [key, cursor] of [...this.cursors]) {
      if (this.waiting || this.stopping || this.inHand >= this.options.concurrentPartitions) return;
      if (cursor.busy || this.paused.has(key)) continue;
      const topic = this.broker.topic(cursor.topic);
      const high = topic?.offsets()[cursor.partition]?.high;
      if (!topic || high === undefined) continue;
      // As Kafka's clients do with an offset beyond the end: from the beginning.
      if (cursor.next > high) cursor.next = 0;
      const { maxBytesPerPartition = DEFAULT_BYTES } = this.options;
      const records = topic.read(cursor.partition, cursor.next, maxBytesPerPartition);
      if (records.length > 0) void this.give(key, cursor, records, high);
    }
  }

  private async give(key: string, cursor: Cursor, records: readonly RawRecord[], highWatermark: number): Promise<void> {
    const { topic, partition, seeks, next: fetchedFrom } = cursor;
    const end = fetchedFrom + records.length;
    const unmoved = (): boolean => cursor.seeks === seeks && this.cursors.get(key) === cursor;
    cursor.busy = true;
    this.inHand += 1;
    try {
      await this.listener?.onBatch({
        topic,
        partition,
        fetchedFrom,
        records,
        end,
        highWatermark,
        moved: (position) => {
          if (unmoved()) cursor.next = position;
        },
        isCurrent: () => !this.waiting && !this.stopping && unmoved(),
      });
      if (unmoved() && cursor.next >= end) this.listener?.onPassed?.(topic, partition, end);
    } catch (error) {
      this.logger.warn({ topic, partition, stack: stackOf(error) }, 'a batch failed and is given again');
      await sleep(AGAIN_MS);
    }
    cursor.busy = false;
    this.inHand -= 1;
    // Whose turn was last comes last.
    if (this.cursors.get(key) === cursor && this.cursors.delete(key)) this.cursors.set(key, cursor);
    if (this.inHand === 0) {
      this.idle?.();
      if (this.waiting) this.settle();
    }
    this.soon();
  }
}
