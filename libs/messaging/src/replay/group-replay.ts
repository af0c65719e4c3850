// Handles a stretch of the log once more, in a schema of its own. It joins no group and writes nothing to the log: the
// positions are rows of that schema, and what handlers publish is counted and withheld.
import { setTimeout as sleep } from 'node:timers/promises';
import type { DataSource } from 'typeorm';
import { affected } from '../database';
import type { GroupContext } from '../group-context';
import { HangWatch } from '../hang-watch';
import type { EventLog } from '../log/port';
import type { MessagingLogger } from '../logger';
import { readRanges } from '../log-reader-range';
import type { Tuning } from '../options';
import { ParkedRetrier } from '../parked-retrier';
import { PartitionProcessor } from '../partition-processor';
import { describe, openPosition, type PartitionId } from '../positions';
import type { GroupRoutes } from '../routes';
import type { RawRecord } from '../types';
import { planReplay, type PlannedTopic } from './replay-plan';
import type { ReplayedPartition, ReplayRequest, ReplaySummary } from './replay-types';
import type { Withheld } from './withheld';

/** Topics read at the same time. */
const AT_ONCE = 3;

export interface ReplayParts {
  readonly log: EventLog;
  readonly dataSource: DataSource;
  readonly service: string;
  readonly routes: GroupRoutes;
  readonly tuning: Tuning;
  readonly logger: MessagingLogger;
  readonly withheld: Withheld;
}

type Outcome = ReplaySummary['outcomes'][number];

export class GroupReplay {
  private readonly outcomes = new Map<string, Outcome>();
  private readonly read: ReplayedPartition[] = [];

  constructor(
    private readonly parts: ReplayParts,
    private readonly request: ReplayRequest,
    private readonly signal: AbortSignal,
  ) {}

  async run(): Promise<ReplaySummary> {
    const { log, routes, withheld } = this.parts;
    const { group, dryRun = false } = this.request;
    const topics = [...new Set([...routes.ownTopics(), ...routes.foreignTopics()])].sort();
    if (topics.length === 0) throw new Error(`group ${group} reads no topic: are its definitions applied?`);
    const plan = await planReplay(log, topics, this.request);
    if (!dryRun) await this.handle(plan);
    const partitions = dryRun ? plan.flatMap(withoutRecords) : this.read;
    return {
      group,
      dryRun,
      fromBeginning: plan.every((topic) => topic.partitions.every(({ from }) => from === 0)),
      partitions: partitions.toSorted((a, b) => compare(a.topic, b.topic) || a.partition - b.partition),
      outcomes: [...this.outcomes.values()].sort(
        (a, b) => compare(a.topic, b.topic) || compare(a.type, b.type) || compare(a.outcome, b.outcome),
      ),
      withheld: withheld.counts(),
      waiting: dryRun ? 0 : await this.countWaiting(),
    };
  }

  private async handle(plan: readonly PlannedTopic[]): Promise<void> {
    const { dataSource, service, routes, tuning, logger, withheld, log } = this.parts;
    const { group } = this.request;
    const context: GroupContext = {
      group,
      service,
      clusterId: await log.clusterId(),
      dataSource,
      routes,
      tuning,
      logger,
      // A person looks on, and may end what hangs.
      hangWatch: new HangWatch(service, 0, logger),
      writeOutbox: (_, rows) => withheld.take(rows),
      settled: (topic, type, outcome, count) => this.count(topic, type, outcome, count),
    };
    const retrier = new ParkedRetrier(context);
    retrier.start();
    try {
      const waiting = [...plan];
      const worker = async (): Promise<void> => {
        for (let topic = waiting.shift(); topic; topic = waiting.shift()) await this.handleTopic(context, topic);
      };
      await Promise.all(Array.from({ length: AT_ONCE }, worker));
    } finally {
      await retrier.stop();
    }
    await retrier.exhaust(this.signal);
    this.signal.throwIfAborted();
  }

  private async handleTopic(context: GroupContext, { topic, topicId, partitions }: PlannedTopic): Promise<void> {
    const { log, service } = this.parts;
    const readers = new Map<number, PartitionReplay>();
    for (const range of partitions) {
      const reader = new PartitionReplay(context, { group: context.group, topic, partition: range.partition }, range);
      await reader.open(topicId);
      readers.set(range.partition, reader);
    }
    const ranges = new Map(partitions.filter(({ from, to }) => from < to).map((range) => [range.partition, range]));
    // Records of one partition at a time.
    const onBatch = async (records: readonly RawRecord[]): Promise<void> => {
      this.signal.throwIfAborted();
      const [first] = records;
      if (first) await readers.get(first.partition)?.apply(records, this.signal);
    };
    if (ranges.size > 0) {
      await readRanges<RawRecord>({ log, service, topic, ranges, decode: (record) => record, onBatch });
    }
    for (const reader of readers.values()) this.read.push(await reader.finish());
  }

  private count(topic: string, type: string, outcome: string, events: number): void {
    const key = `${topic} ${type} ${outcome}`;
    this.outcomes.set(key, { topic, type, outcome, events: (this.outcomes.get(key)?.events ?? 0) + events });
  }

  private async countWaiting(): Promise<number> {
    const found: unknown = await this.parts.dataSource.query(
      'SELECT count(*)::int AS waiting FROM parked_events WHERE consumer_group = $1',
      [this.request.group],
    );
    return (found as { waiting: number }[])[0]?.waiting ?? 0;
  }
}

interface Range {
  readonly from: number;
  readonly to: number;
}

/** One partition, by the same processor as in life. */
class PartitionReplay {
  private readonly processor: PartitionProcessor;
  private position: number;
  private records = 0;

  constructor(
    private readonly context: GroupContext,
    private readonly id: PartitionId,
    private readonly range: Range,
  ) {
    this.processor = new PartitionProcessor(context, id.topic, id.partition);
    this.position = range.from;
  }

  async open(topicId: string | undefined): Promise<void> {
    const { clusterId, dataSource } = this.context;
    const runner = dataSource.createQueryRunner();
    try {
      const { next } = await openPosition(runner, this.id, { clusterId, topicId }, this.range.from);
      if (next !== this.range.from) throw new Error(`${describe(this.id)}: the schema of the replay is not fresh`);
    } finally {
      await runner.release();
    }
  }

  async apply(read: readonly RawRecord[], signal: AbortSignal): Promise<void> {
    const { to } = this.range;
    const end = (read.at(-1)?.offset ?? 0) + 1;
    while (this.position < end) {
      signal.throwIfAborted();
      const records = read.filter(({ offset }) => offset >= this.position);
      const verdict = await this.processor.process(
        { fetchedFrom: this.position, records, end, highWatermark: to },
        (position) => {
          this.position = position;
        },
        () => !signal.aborted,
      );
      if (verdict.kind === 'wait') await sleep(verdict.ms, undefined, { signal });
      else if (verdict.kind !== 'finished') {
        throw new Error(`${describe(this.id)}: somebody else works in the schema of the replay`);
      }
    }
    this.records += read.length;
  }

  /** Behind the last record there may be offsets without one. */
  async finish(): Promise<ReplayedPartition> {
    const { group, topic, partition } = this.id;
    const { from, to } = this.range;
    const runner = this.context.dataSource.createQueryRunner();
    try {
      await affected(
        runner,
        `UPDATE consumer_positions SET next_offset = $4 WHERE consumer_group = $1 AND topic = $2 AND partition = $3`,
        [group, topic, partition, to],
      );
    } finally {
      await runner.release();
    }
    return { topic, partition, from, to, records: this.records };
  }
}

function withoutRecords({ topic, partitions }: PlannedTopic): ReplayedPartition[] {
  return partitions.map(({ partition, from, to }) => ({ topic, partition, from, to, records: 0 }));
}

function compare(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
