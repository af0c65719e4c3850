// One kafkajs consumer of one group over one fixed set of topics.
import type { Admin, Consumer, EachBatchPayload, Kafka } from 'kafkajs';
import { asError, messageOf } from '../faults';
import type { ConsumerListener, ConsumerOptions, LogConsumer } from '../log/port';
import type { MessagingLogger } from '../logger';
import type { RawRecord } from '../types';
import { recordOf } from './kafka-record';
import { OUTLAST } from './outlast';

export class KafkaConsumer implements LogConsumer {
  private readonly consumer: Consumer;
  private stopping = false;

  constructor(
    kafka: Kafka,
    private readonly admin: () => Promise<Admin>,
    private readonly options: ConsumerOptions,
    private readonly logger: MessagingLogger,
  ) {
    this.consumer = kafka.consumer({
      groupId: options.group,
      sessionTimeout: options.sessionTimeoutMs,
      heartbeatInterval: options.heartbeatMs,
      maxWaitTimeInMs: options.maxWaitMs,
      ...(options.maxBytesPerPartition === undefined ? {} : { maxBytesPerPartition: options.maxBytesPerPartition }),
      allowAutoTopicCreation: false,
      // A new topic or partition of the set is noticed within this time.
      metadataMaxAge: 60_000,
      retry: { ...OUTLAST, restartOnFailure: () => Promise.resolve(true) },
    });
  }

  async start(topics: readonly string[], listener: ConsumerListener): Promise<void> {
    const { consumer } = this;
    const { events } = consumer;
    consumer.on(events.GROUP_JOIN, ({ payload }) => {
      listener.onJoined(new Map(Object.entries(payload.memberAssignment)));
    });
    // Also told of batches that hold nothing but control records.
    consumer.on(events.END_BATCH_PROCESS, ({ payload }) => {
      listener.onPassed?.(payload.topic, payload.partition, Number(payload.lastOffset) + 1);
    });
    consumer.on(events.CRASH, ({ payload }) => {
      if (!payload.restart && !this.stopping) listener.onGivenUp(payload.error);
    });
    await consumer.connect();
    await consumer.subscribe({ topics: [...topics], fromBeginning: true });
    await consumer.run({
      autoCommit: false,
      eachBatchAutoResolve: false,
      partitionsConsumedConcurrently: this.options.concurrentPartitions,
      eachBatch: (payload) => this.eachBatch(payload, listener),
    });
  }

  seek(topic: string, partition: number, offset: number): void {
    this.consumer.seek({ topic, partition, offset: String(offset) });
  }

  pause(topic: string, partition: number): void {
    this.consumer.pause([{ topic, partitions: [partition] }]);
  }

  resume(topic: string, partition: number): void {
    this.consumer.resume([{ topic, partitions: [partition] }]);
  }

  async report(positions: readonly { topic: string; partition: number; next: number }[]): Promise<void> {
    await this.consumer.commitOffsets(
      positions.map(({ topic, partition, next }) => ({ topic, partition, offset: String(next) })),
    );
  }

  async stop(): Promise<void> {
    this.stopping = true;
    await this.consumer.disconnect();
    const { group, passing } = this.options;
    if (passing !== true) return;
    try {
      await (await this.admin()).deleteGroups([group]);
    } catch (error) {
      // Kafka forgets an empty group by itself after its offsets' retention.
      this.logger.debug({ group, fault: messageOf(error) }, 'group not deleted');
    }
  }

  /** kafkajs beats only between batches: a batch that takes long needs a beat of its own. */
  private async eachBatch(payload: EachBatchPayload, listener: ConsumerListener): Promise<void> {
    const { batch, resolveOffset, heartbeat, isRunning, isStale } = payload;
    const { topic, partition } = batch;
    let interrupted: unknown;
    const beat = setInterval(() => {
      heartbeat().catch((error: unknown) => {
        interrupted ??= error;
      });
    }, this.options.heartbeatMs);
    try {
      const records = batch.messages.map((message) => recordOf(topic, partition, message));
      await listener.onBatch({
        topic,
        partition,
        fetchedFrom: fetchedFrom(batch, records),
        records,
        end: Number(batch.lastOffset()) + 1,
        highWatermark: Number(batch.highWatermark),
        moved: (position) => resolveOffset(String(position - 1)),
        isCurrent: () => interrupted === undefined && !this.stopping && isRunning() && !isStale(),
      });
    } finally {
      clearInterval(beat);
    }
    // kafkajs rejoins when it sees the rebalance that the heartbeat was told of.
    if (interrupted !== undefined) throw asError(interrupted);
  }
}

/** kafkajs keeps the asked-for offset with the batch but not in its types; the first record's is the safe stand-in. */
function fetchedFrom(batch: EachBatchPayload['batch'], records: readonly RawRecord[]): number {
  const asked = 'fetchedOffset' in batch ? Number(batch.fetchedOffset) : Number.NaN;
  return Number.isNaN(asked) ? (records[0]?.offset ?? 0) : asked;
}
