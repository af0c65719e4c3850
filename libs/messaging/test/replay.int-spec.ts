// A stretch of the log handled once more: the same effects in tables of its own, and not a byte more on the log.
import { Controller, Inject } from '@nestjs/common';
import { deadLetterTopicOf, events, topicOf } from '@headrace/contracts';
import type { DataArrived } from '@headrace/contracts/proto/ingestion/v1/ingestion_events';
import {
  BULK_PUBLISHER,
  ensureTopics,
  KafkaEventServer,
  OnEvent,
  UNIT_OF_WORK,
  type BulkPublisher,
  type Outcome,
  type ReceivedEvent,
  type ReplayRequest,
  type ReplaySummary,
  type Transaction,
  type UnitOfWork,
} from '@headrace/messaging';
import { createTestDatabase, eventually, testKafkaBrokers, uniqueName, type TestDatabase } from '@headrace/testing';
import type { Admin } from 'kafkajs';
import type { DataSource } from 'typeorm';
import { openTestDatabase, startService, type RunningService } from './running-service';
import { arrival, arrivals, effectsOf, inversions, kafka, type Effect } from './sample-events';

const SERVICE = uniqueName('replayed');
const STREAM = uniqueName('stream');
/** What handlers publish: with their transaction, in bulk, and in a unit of work. */
const WITH_TRANSACTION = uniqueName('next');
const IN_BULK = uniqueName('bulk');
const BY_COMMAND = uniqueName('command');
const TOPIC = topicOf(events.DataArrived.topic, STREAM);
const PATIENCE = { timeoutMs: 60_000 };
const KEYS = 20;
/** Of each half; one event of the first half is refused, one waits for an event of the second that has its key. */
const HALF = 60;
const REFUSED = 10;
const EARLY = 20;
const CAUSE = HALF + 40;

@Controller()
class Projects {
  constructor(
    @Inject(BULK_PUBLISHER) private readonly bulk: BulkPublisher,
    @Inject(UNIT_OF_WORK) private readonly unitOfWork: UnitOfWork,
  ) {}

  @OnEvent(events.DataArrived, { deadLetter: 'reorder-safe', group: SERVICE })
  async on(event: ReceivedEvent<DataArrived>, transaction: Transaction): Promise<Outcome | void> {
    const number = Number(event.data.upstreamId);
    if (number === REFUSED) return { kind: 'rejected', code: 'not_mine', message: 'never' };
    if (number === EARLY) {
      const causes = await transaction.query('SELECT 1 FROM effects WHERE sequence = $1', [CAUSE]);
      if (causes.length === 0) return { kind: 'not-yet', waitsFor: 'its cause' };
    }
    await transaction.query('INSERT INTO effects (service, key, sequence) VALUES ($1, $2, $3)', [
      SERVICE,
      event.key,
      number,
    ]);
    const copy = (stream: string) => ({ ...event.data, stream });
    transaction.publish(events.DataArrived, copy(WITH_TRANSACTION), { stream: WITH_TRANSACTION });
    await this.bulk.publish([
      { ...arrival(IN_BULK, event.key, number, `${SERVICE}/${event.partition}`), cause: event },
    ]);
    if (number === CAUSE) {
      await this.unitOfWork.run((other) => {
        other.publish(events.DataArrived, copy(BY_COMMAND), { stream: BY_COMMAND, cause: event });
        return Promise.resolve();
      });
    }
  }
}

interface Replayed {
  readonly summary: ReplaySummary;
  readonly effects: Effect[];
  readonly positions: Map<number, number>;
  readonly outboxRows: number;
}

describe('a replay', () => {
  let database: TestDatabase;
  let dataSource: DataSource;
  let living: RunningService;
  let admin: Admin;
  /** Between the halves, milliseconds since the epoch. */
  let middle: number;

  const subscribe: NonNullable<Parameters<typeof startService>[0]['subscribe']> = (subscriptions) =>
    subscriptions.set(SERVICE, events.DataArrived, [STREAM]);
  const numbersOf = (effects: readonly Effect[]): number[] =>
    effects.map(({ sequence }) => sequence).sort((a, b) => a - b);
  const range = (from: number, to: number): number[] => Array.from({ length: to - from + 1 }, (_, n) => from + n);

  async function positionsOf(source: DataSource): Promise<Map<number, number>> {
    const found: unknown = await source.query(
      'SELECT partition, next_offset FROM consumer_positions WHERE consumer_group = $1 AND topic = $2 ORDER BY partition',
      [SERVICE, TOPIC],
    );
    const rows = found as { partition: number; next_offset: string }[];
    return new Map(rows.map((row) => [row.partition, Number(row.next_offset)]));
  }

  /** Ends of every topic that this service could write to, and what Kafka knows of its group. */
  async function log(): Promise<Record<string, unknown>> {
    const names = (await admin.listTopics()).filter((name) =>
      [STREAM, WITH_TRANSACTION, IN_BULK, BY_COMMAND, SERVICE].some((part) => name.includes(part)),
    );
    const ends: Record<string, unknown> = {};
    for (const name of names.sort()) {
      const offsets = await admin.fetchTopicOffsets(name);
      ends[name] = offsets.map(({ partition, high }) => `${partition}:${high}`).sort();
    }
    const [committed] = await admin.fetchOffsets({ groupId: SERVICE, topics: [TOPIC] });
    const { groups } = await admin.describeGroups([SERVICE]);
    return { ...ends, committed, members: groups[0]?.members.map(({ memberId }) => memberId) };
  }

  async function replay(request: Omit<ReplayRequest, 'group'> = {}): Promise<Replayed> {
    const own = await createTestDatabase('replay');
    const source = await openTestDatabase(own.url);
    try {
      const process = await startService({
        service: SERVICE,
        dataSource: source,
        controllers: [Projects],
        replay: true,
        // Too late for what waits: only its try at the end of a replay is left.
        tuning: { parkedRetryMs: 60_000 },
        subscribe,
      });
      try {
        const server = process.app.get(KafkaEventServer);
        const summary = await server.replay({ group: SERVICE, ...request }, new AbortController().signal);
        const rows: unknown = await source.query('SELECT count(*)::int AS rows FROM outbox');
        return {
          summary,
          effects: await effectsOf(source, SERVICE),
          positions: await positionsOf(source),
          outboxRows: (rows as { rows: number }[])[0]?.rows ?? -1,
        };
      } finally {
        await process.stop();
      }
    } finally {
      await source.destroy();
      await own.drop();
    }
  }

  beforeAll(async () => {
    database = await createTestDatabase('replay');
    dataSource = await openTestDatabase(database.url);
    await ensureTopics(
      testKafkaBrokers(),
      [WITH_TRANSACTION, IN_BULK, BY_COMMAND].map((stream) => topicOf(events.DataArrived.topic, stream)),
    );
    living = await startService({ service: SERVICE, dataSource, controllers: [Projects], subscribe });
    await living.bulk.publish(arrivals(STREAM, HALF, KEYS));
    middle = Date.now() + 2;
    await eventually(() => expect(Date.now()).toBeGreaterThan(middle));
    await living.bulk.publish(arrivals(STREAM, HALF, KEYS, HALF + 1));
    // A publisher that wrote again what it did not know to be there.
    await living.bulk.publish(arrivals(STREAM, 5, KEYS, HALF + 1));
    admin = kafka().admin();
    await admin.connect();
    const applied = range(1, 2 * HALF).filter((number) => number !== REFUSED);
    await eventually(async () => {
      expect(numbersOf(await effectsOf(dataSource, SERVICE))).toEqual(applied);
      expect(await positionsOf(dataSource)).toEqual(await living.reader.endOffsets(TOPIC));
      expect(await dataSource.query('SELECT 1 FROM outbox UNION ALL SELECT 1 FROM parked_events')).toEqual([]);
      // Reported once a second, and not where nothing ever moved.
      const [committed] = await admin.fetchOffsets({ groupId: SERVICE, topics: [TOPIC] });
      const reported = committed?.partitions.map(
        ({ partition, offset }) => [partition, Math.max(0, Number(offset))] as const,
      );
      expect(new Map(reported)).toEqual(await positionsOf(dataSource));
    }, PATIENCE);
  }, 90_000);

  afterAll(async () => {
    await admin.disconnect();
    await living.stop();
    await dataSource.destroy();
    await database.drop();
  });

  it('has the effects of life once, in the order of each key, and sends nothing of what handlers publish', async () => {
    const before = await log();
    const { summary, effects, positions, outboxRows } = await replay();
    expect(await log()).toEqual(before);
    const inLife = await effectsOf(dataSource, SERVICE);
    expect(numbersOf(effects)).toEqual(numbersOf(inLife));
    expect(inversions(effects.filter(({ sequence }) => sequence !== EARLY))).toEqual([]);
    const order = effects.map(({ sequence }) => sequence);
    expect(order.indexOf(EARLY)).toBeGreaterThan(order.indexOf(CAUSE));
    expect(positions).toEqual(await positionsOf(dataSource));
    expect(outboxRows).toBe(0);
    const withheld = new Map(summary.withheld.map(({ topic, events: count }) => [topic, count]));
    const published = (stream: string) => withheld.get(topicOf(events.DataArrived.topic, stream));
    // A transaction that fell apart and was tried again counts again.
    expect(published(WITH_TRANSACTION)).toBeGreaterThanOrEqual(inLife.length);
    expect(published(IN_BULK)).toBeGreaterThanOrEqual(inLife.length);
    expect(published(BY_COMMAND)).toBeGreaterThanOrEqual(1);
    expect(withheld.get(deadLetterTopicOf(TOPIC, SERVICE))).toBe(1);
    expect(summary).toMatchObject({ fromBeginning: true, waiting: 0 });
    const outcome = (kind: string) => summary.outcomes.find((one) => one.outcome === kind)?.events;
    expect([outcome('done'), outcome('dead'), outcome('repeat')]).toEqual([inLife.length, 1, 5]);
  }, 90_000);

  it('handles what lies before a moment, or from it on, and nothing else', async () => {
    const first = await replay({ toTimeMs: middle });
    // Its cause lies behind the end: it still waits.
    const before = range(1, HALF).filter((number) => number !== REFUSED && number !== EARLY);
    expect(numbersOf(first.effects)).toEqual(before);
    expect(first.summary).toMatchObject({ fromBeginning: true, waiting: 1 });
    const second = await replay({ fromTimeMs: middle });
    expect(numbersOf(second.effects)).toEqual(range(HALF + 1, 2 * HALF));
    expect(second.summary).toMatchObject({ fromBeginning: false, waiting: 0 });
    expect(second.positions).toEqual(await positionsOf(dataSource));
  }, 120_000);

  it('begins at an offset with exactly the event that stands there', async () => {
    const ends = await living.reader.endOffsets(TOPIC);
    const partition = [...ends].toSorted((a, b) => b[1] - a[1])[0]?.[0] ?? 0;
    const end = ends.get(partition) ?? 0;
    const from = end - 12;
    const standing: number[] = [];
    await living.reader.readRange(TOPIC, new Map([[partition, { from, to: end }]]), (batch) => {
      standing.push(...batch.map(({ data }) => Number((data as DataArrived).upstreamId)));
    });
    const others = [...ends].filter(([other]) => other !== partition);
    const { effects, summary } = await replay({
      fromOffsets: [
        { topic: TOPIC, partition, offset: from },
        ...others.map(([p, offset]) => ({ topic: TOPIC, partition: p, offset })),
      ],
    });
    expect(numbersOf(effects)).toEqual(standing.toSorted((a, b) => a - b));
    expect(summary.partitions.find((one) => one.topic === TOPIC && one.partition === partition)).toEqual({
      topic: TOPIC,
      partition,
      from,
      to: end,
      records: 12,
    });
  }, 90_000);
});
