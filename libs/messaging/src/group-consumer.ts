// One consumer of one group over one fixed set of topics.
import { setTimeout as sleep } from 'node:timers/promises';
import { backoffMs } from './backoff';
import { messageOf } from './faults';
import type { GroupContext } from './group-context';
import type { StatusBoard } from './group-status';
import type { EventLog, LogBatch, LogConsumer } from './log/port';
import { metrics } from './metrics';
import { openPartitions, PositionRefused } from './partition-opening';
import { PartitionProcessor, type BatchVerdict } from './partition-processor';

const REPORT_MS = 1000;
const LAG_MS = 10_000;
/** Of the time that a small batch takes, so long is there between two: it keeps a partition busy for half of the time at most. */
const LINGER_SHARE = 1;
/** Tries after which a fault is no passing one any more (about three seconds). */
const LASTING_ATTEMPTS = 6;

export class GroupConsumer {
  private readonly consumer: LogConsumer;
  private readonly processors = new Map<string, PartitionProcessor>();
  private readonly resumes = new Map<string, NodeJS.Timeout>();
  /** Positions not yet reported to the log, and all of them for the lag. */
  private readonly unreported = new Map<string, { topic: string; partition: number; next: number }>();
  private readonly positions = new Map<string, { topic: string; partition: number; next: number }>();
  /** As they were when they were opened. */
  private readonly topicIds = new Map<string, string>();
  /** Since when a partition has waited for the log, on the clock of performance.now(). */
  private readonly lingeredUntil = new Map<string, number>();
  private timers: NodeJS.Timeout[] = [];
  private stopping = false;
  private generation = 0;

  constructor(
    private readonly context: GroupContext,
    private readonly log: EventLog,
    private readonly status: StatusBoard,
    private readonly onFatal: (error: Error) => void,
    private readonly onJoined: () => void,
  ) {
    const { tuning } = context;
    this.consumer = log.consumer({
      group: context.group,
      sessionTimeoutMs: tuning.sessionTimeoutMs,
      heartbeatMs: tuning.heartbeatMs,
      maxWaitMs: tuning.maxWaitMs,
      concurrentPartitions: tuning.concurrentPartitions,
    });
  }

  async start(topics: readonly string[]): Promise<void> {
    await this.consumer.start(topics, {
      onJoined: (assignment) => {
        metrics.rebalances.inc({ group: this.context.group });
        this.generation += 1;
        void this.joined(assignment, this.generation);
      },
      onBatch: (batch) => this.onBatch(batch),
      onGivenUp: (error) => {
        if (!this.stopping) this.onFatal(error);
      },
    });
    this.timers = [
      setInterval(() => void this.reportOffsets(), REPORT_MS),
      setInterval(() => void this.lookAtLog(), LAG_MS),
    ];
  }

  /** Finishes the batch in hand, leaves the group. */
  async stop(): Promise<void> {
    this.stopping = true;
    this.generation += 1;
    for (const timer of [...this.timers, ...this.resumes.values()]) clearTimeout(timer);
    this.resumes.clear();
    this.leavePartitions();
    await this.reportOffsets();
    await this.consumer.stop();
  }

  private async joined(assignment: ReadonlyMap<string, readonly number[]>, generation: number): Promise<void> {
    const { group, tuning, logger } = this.context;
    this.leavePartitions();
    for (let attempt = 1; generation === this.generation; attempt += 1) {
      try {
        for (const [topic, partitions] of assignment) {
          await this.open(topic, partitions, () => generation === this.generation);
        }
        if (generation === this.generation) this.onJoined();
        return;
      } catch (error) {
        if (this.refused(error)) return;
        const fields = { group, attempt, fault: messageOf(error) };
        // A broker says so of every fresh topic; only when it lasts somebody should look.
        if (attempt < LASTING_ATTEMPTS) logger.debug(fields, 'positions cannot be read yet');
        else logger.warn(fields, 'positions cannot be read yet');
        await sleep(backoffMs(attempt, tuning.backoffMinMs, tuning.backoffMaxMs));
      }
    }
  }

  /** Reads positions and goes there: the database is the truth, not Kafka's committed offsets. */
  private async open(topic: string, partitions: readonly number[], current: () => boolean): Promise<void> {
    const { topicId, positions } = await openPartitions(this.context, this.log, topic, partitions);
    if (!current()) return;
    if (topicId !== undefined) this.topicIds.set(topic, topicId);
    for (const [partition, { next, end }] of positions) {
      this.processorOf(topic, partition).reopen();
      this.consumer.seek(topic, partition, next);
      this.positions.set(`${topic}/${partition}`, { topic, partition, next });
      this.setLag(topic, partition, end - next);
    }
  }

  /** Another member may have them from now on: what it tells of them must not stand beside what was true here. */
  private leavePartitions(): void {
    const { group } = this.context;
    for (const { topic, partition } of this.positions.values()) {
      metrics.lag.remove({ group, topic, partition: String(partition) });
    }
    this.positions.clear();
    this.status.resumeAll(group);
  }

  private refused(error: unknown): boolean {
    if (!(error instanceof PositionRefused)) return false;
    if (!this.stopping) this.onFatal(error);
    return true;
  }

  private async onBatch(batch: LogBatch): Promise<void> {
    const { topic, partition } = batch;
    const began = performance.now();
    metrics.batch.observe({ group: this.context.group }, batch.records.length);
    const verdict = await this.processorOf(topic, partition).process(
      batch,
      (position) => {
        batch.moved(position);
        this.moved(topic, partition, position, batch.highWatermark);
      },
      () => !this.stopping && batch.isCurrent(),
    );
    await this.follow(topic, partition, verdict);
    if (verdict.kind === 'finished') await this.linger(`${topic}/${partition}`, batch.records.length, began);
  }

  /**
   * The next fetch waits for the end of this call: what comes meanwhile shares its transaction. Where transactions are
   * quick there is time for many small ones, and where the partition rested before this one there is nothing to wait for.
   */
  private async linger(partition: string, records: number, began: number): Promise<void> {
    const { routes, tuning } = this.context;
    if (this.stopping || !routes.takesBatches() || records > tuning.chunkSize / 4) return;
    const rested = began - (this.lingeredUntil.get(partition) ?? 0);
    const rest = (performance.now() - began) * LINGER_SHARE - rested;
    if (rest >= 1) await sleep(Math.min(tuning.lingerMs, rest));
    this.lingeredUntil.set(partition, performance.now());
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
    this.status.pause(this.context.group, topic, partition, reason);
    this.consumer.pause(topic, partition);
    clearTimeout(this.resumes.get(key));
    this.resumes.set(
      key,
      setTimeout(() => {
        this.resumes.delete(key);
        if (!this.stopping) this.consumer.resume(topic, partition);
      }, ms),
    );
  }

  private moved(topic: string, partition: number, next: number, highWatermark: number): void {
    const key = `${topic}/${partition}`;
    this.positions.set(key, { topic, partition, next });
    this.unreported.set(key, { topic, partition, next });
    this.status.resume(this.context.group, topic, partition);
    this.setLag(topic, partition, highWatermark - next);
  }

  private setLag(topic: string, partition: number, lag: number): void {
    metrics.lag.set({ group: this.context.group, topic, partition: String(partition) }, Math.max(0, lag));
  }

  /** Only for tools that show lag: nothing reads these offsets back. */
  private async reportOffsets(): Promise<void> {
    if (this.unreported.size === 0) return;
    const positions = [...this.unreported.values()];
    this.unreported.clear();
    try {
      await this.consumer.report(positions);
    } catch (error) {
      this.context.logger.debug(
        { group: this.context.group, fault: messageOf(error) },
        'positions not reported to the log',
      );
    }
  }

  /** Also for groups in which nothing moves: how far behind they are, and whether it is still the same log. */
  private async lookAtLog(): Promise<void> {
    const topics = new Set([...this.positions.values()].map(({ topic }) => topic));
    try {
      const ids = await this.log.topicIds([...topics]);
      for (const topic of topics) {
        if (ids.has(topic) && this.topicIds.has(topic) && ids.get(topic) !== this.topicIds.get(topic)) {
          // Refuses, and says what to do.
          await openPartitions(this.context, this.log, topic, this.partitionsOf(topic));
        }
        for (const { partition, high } of await this.log.offsets(topic)) {
          const position = this.positions.get(`${topic}/${partition}`);
          if (position) this.setLag(topic, partition, high - position.next);
        }
      }
    } catch (error) {
      if (this.refused(error)) return;
      this.context.logger.debug({ group: this.context.group, fault: messageOf(error) }, 'lag not refreshed');
    }
  }

  private partitionsOf(topic: string): number[] {
    return [...this.positions.values()].filter((held) => held.topic === topic).map(({ partition }) => partition);
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
