// One kafkajs consumer of one group over one fixed set of topics.
import type { Consumer, EachBatchPayload, KafkaMessage } from 'kafkajs';
import { setTimeout as sleep } from 'node:timers/promises';
import { backoffMs } from './backoff';
import { asError, messageOf } from './faults';
import type { GroupContext } from './group-context';
import type { StatusBoard } from './group-status';
import { OUTLAST, type KafkaClient } from './kafka-client';
import { metrics } from './metrics';
import { openPartitions, PositionRefused } from './partition-opening';
import { PartitionProcessor, type BatchVerdict } from './partition-processor';
import { normaliseHeaders } from './stored-record';
import type { RawRecord } from './types';

const REPORT_MS = 1000;
const LAG_MS = 10_000;

export class GroupConsumer {
  private readonly consumer: Consumer;
  private readonly processors = new Map<string, PartitionProcessor>();
  private readonly resumes = new Map<string, NodeJS.Timeout>();
  /** Positions not yet reported to Kafka, and all of them for the lag. */
  private readonly unreported = new Map<string, { topic: string; partition: number; offset: string }>();
  private readonly positions = new Map<string, { topic: string; partition: number; next: number }>();
  private timers: NodeJS.Timeout[] = [];
  private stopping = false;
  private generation = 0;

  constructor(
    private readonly context: GroupContext,
    private readonly client: KafkaClient,
    private readonly status: StatusBoard,
    private readonly onFatal: (error: Error) => void,
    private readonly onJoined: () => void,
  ) {
    const { tuning } = context;
    this.consumer = client.kafka.consumer({
      groupId: context.group,
      sessionTimeout: tuning.sessionTimeoutMs,
      heartbeatInterval: tuning.heartbeatMs,
      maxWaitTimeInMs: tuning.maxWaitMs,
      allowAutoTopicCreation: false,
      // A new topic or partition of the set is noticed within this time.
      metadataMaxAge: 60_000,
      retry: { ...OUTLAST, restartOnFailure: () => Promise.resolve(true) },
    });
  }

  async start(topics: readonly string[]): Promise<void> {
    const { events } = this.consumer;
    this.consumer.on(events.GROUP_JOIN, ({ payload }) => {
      metrics.rebalances.inc({ group: this.context.group });
      this.generation += 1;
      void this.joined(payload.memberAssignment, this.generation);
    });
    this.consumer.on(events.CRASH, ({ payload }) => {
      if (!payload.restart && !this.stopping) this.onFatal(payload.error);
    });
    await this.consumer.connect();
    await this.consumer.subscribe({ topics: [...topics], fromBeginning: true });
    await this.consumer.run({
      autoCommit: false,
      eachBatchAutoResolve: false,
      partitionsConsumedConcurrently: this.context.tuning.concurrentPartitions,
      eachBatch: (payload) => this.eachBatch(payload),
    });
    this.timers = [
      setInterval(() => void this.reportOffsets(), REPORT_MS),
      setInterval(() => void this.refreshLag(), LAG_MS),
    ];
  }

  /** Finishes the batch in hand, leaves the group. */
  async stop(): Promise<void> {
    this.stopping = true;
    this.generation += 1;
    for (const timer of [...this.timers, ...this.resumes.values()]) clearTimeout(timer);
    this.resumes.clear();
    this.status.resumeAll(this.context.group);
    await this.reportOffsets();
    await this.consumer.disconnect();
  }

  private async joined(assignment: Record<string, number[]>, generation: number): Promise<void> {
    const { group, tuning, logger } = this.context;
    this.positions.clear();
    for (let attempt = 1; generation === this.generation; attempt += 1) {
      try {
        for (const [topic, partitions] of Object.entries(assignment)) {
          await this.open(topic, partitions, () => generation === this.generation);
        }
        if (generation === this.generation) this.onJoined();
        return;
      } catch (error) {
        if (this.refused(error)) return;
        logger.warn({ group, attempt, fault: messageOf(error) }, 'positions cannot be read yet');
        await sleep(backoffMs(attempt, tuning.backoffMinMs, tuning.backoffMaxMs));
      }
    }
  }

  /** Reads positions and goes there: the database is the truth, not Kafka's committed offsets. */
  private async open(topic: string, partitions: readonly number[], current: () => boolean): Promise<void> {
    const positions = await openPartitions(this.context, this.client, topic, partitions);
    if (!current()) return;
    for (const [partition, next] of positions) {
      this.consumer.seek({ topic, partition, offset: String(next) });
      this.positions.set(`${topic}/${partition}`, { topic, partition, next });
    }
  }

  private refused(error: unknown): boolean {
    if (!(error instanceof PositionRefused)) return false;
    if (!this.stopping) this.onFatal(error);
    return true;
  }

  private async eachBatch({ batch, resolveOffset, heartbeat, isRunning, isStale }: EachBatchPayload): Promise<void> {
    const { topic, partition } = batch;
    let interrupted: unknown;
    const beat = setInterval(() => {
      heartbeat().catch((error: unknown) => {
        interrupted ??= error;
      });
    }, this.context.tuning.heartbeatMs);
    try {
      const records = batch.messages.map((message) => recordOf(topic, partition, message));
      const verdict = await this.processorOf(topic, partition).process(
        {
          fetchedFrom: fetchedFrom(batch, records),
          records,
          end: Number(batch.lastOffset()) + 1,
          highWatermark: Number(batch.highWatermark),
        },
        (position) => {
          resolveOffset(String(position - 1));
          this.moved(topic, partition, position, Number(batch.highWatermark));
        },
        () => interrupted === undefined && !this.stopping && isRunning() && !isStale(),
      );
      await this.follow(topic, partition, verdict);
      if (verdict.kind === 'finished') await this.linger(records.length);
    } finally {
      clearInterval(beat);
    }
    // kafkajs rejoins when it sees the rebalance that the heartbeat was told of.
    if (interrupted !== undefined) throw asError(interrupted);
  }

  /** The next fetch waits for the end of this call: what comes meanwhile shares its transaction. */
  private async linger(records: number): Promise<void> {
    const { routes, tuning } = this.context;
    if (this.stopping || !routes.takesBatches() || records > tuning.chunkSize / 4) return;
    await sleep(tuning.lingerMs);
  }

  private async follow(topic: string, partition: number, verdict: BatchVerdict): Promise<void> {
    if (this.stopping || verdict.kind === 'finished') return;
    if (verdict.kind === 'wait') {
      this.waitAt(topic, partition, verdict.ms, verdict.reason);
      return;
    }
    try {
      await this.open(topic, [partition], () => !this.stopping);
    } catch (error) {
      if (!this.refused(error)) this.waitAt(topic, partition, this.context.tuning.backoffMinMs, messageOf(error));
    }
  }

  private waitAt(topic: string, partition: number, ms: number, reason: string): void {
    const key = `${topic}/${partition}`;
    const where = [{ topic, partitions: [partition] }];
    this.status.pause(this.context.group, topic, partition, reason);
    this.consumer.pause(where);
    clearTimeout(this.resumes.get(key));
    this.resumes.set(
      key,
      setTimeout(() => {
        this.resumes.delete(key);
        if (!this.stopping) this.consumer.resume(where);
      }, ms),
    );
  }

  private moved(topic: string, partition: number, next: number, highWatermark: number): void {
    const key = `${topic}/${partition}`;
    this.positions.set(key, { topic, partition, next });
    this.unreported.set(key, { topic, partition, offset: String(next) });
    this.status.resume(this.context.group, topic, partition);
    this.setLag(topic, partition, highWatermark - next);
  }

  private setLag(topic: string, partition: number, lag: number): void {
    metrics.lag.set({ group: this.context.group, topic, partition: String(partition) }, Math.max(0, lag));
  }

  /** Only for tools that show lag: nothing reads these offsets back. */
  private async reportOffsets(): Promise<void> {
    if (this.unreported.size === 0) return;
    const offsets = [...this.unreported.values()];
    this.unreported.clear();
    try {
      await this.consumer.commitOffsets(offsets);
    } catch (error) {
      this.context.logger.debug(
        { group: this.context.group, fault: messageOf(error) },
        'offsets not reported to Kafka',
      );
    }
  }

  private async refreshLag(): Promise<void> {
    const topics = new Set([...this.positions.values()].map(({ topic }) => topic));
    try {
      const admin = await this.client.admin();
      for (const topic of topics) {
        for (const { partition, high } of await admin.fetchTopicOffsets(topic)) {
          const position = this.positions.get(`${topic}/${partition}`);
          if (position) this.setLag(topic, partition, Number(high) - position.next);
        }
      }
    } catch (error) {
      this.context.logger.debug({ group: this.context.group, fault: messageOf(error) }, 'lag not refreshed');
    }
  }

  private processorOf(topic: string, partition: number): PartitionProcessor {
    const key = `${topic}/${partition}`;
    const known = this.processors.get(key);
    if (known) return known;
    const made = new PartitionProcessor(this.context, topic, partition);
    this.processors.set(key, made);
    return made;
  }
}

function recordOf(topic: string, partition: number, message: KafkaMessage): RawRecord {
  return {
    topic,
    partition,
    offset: Number(message.offset),
    timestampMs: Number(message.timestamp),
    key: message.key,
    value: message.value,
    headers: normaliseHeaders(message.headers),
  };
}

/** kafkajs keeps the asked-for offset with the batch but not in its types; the first record's is the safe stand-in. */
function fetchedFrom(batch: EachBatchPayload['batch'], records: readonly RawRecord[]): number {
  const asked = 'fetchedOffset' in batch ? Number(batch.fetchedOffset) : Number.NaN;
  return Number.isNaN(asked) ? (records[0]?.offset ?? 0) : asked;
}
