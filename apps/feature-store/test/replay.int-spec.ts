// A projection built anew from the log, beside the living service.
import { deadLetterTopicOf, events, topicOf } from '@headrace/contracts';
import { KafkaEventServer } from '@headrace/messaging';
import {
  createLogger,
  createService,
  parseReplayArguments,
  readConfig,
  Readiness,
  runReplay,
  type ReplayResult,
} from '@headrace/service-kit';
import { eventually, testKafkaBrokers, uniqueName } from '@headrace/testing';
import type { ReplaySummary } from '@headrace/messaging';
import { Kafka, logLevel, type Admin } from 'kafkajs';
import { DataSource } from 'typeorm';
import { featureStoreConfig } from '../src/feature-store.config';
import { FeatureStoreModule } from '../src/feature-store.module';
import { featureStoreReplay } from '../src/feature-store.replay';
import { everyAggregate, featureView } from './builders';
import { landings } from './landings';
import { FeatureStoreSite, RunningFeatureStore } from './running-feature-store';

const GROUP = 'feature-store';
const PATIENCE = { timeoutMs: 60_000 };

describe('a replay of the feature store, on the real Kafka and Postgres', () => {
  jest.setTimeout(120_000);
  const arrivals = landings(600, 5);
  const end = arrivals.at(-1)?.knownTime ?? 0;
  let site: FeatureStoreSite;
  let store: RunningFeatureStore;
  let database: DataSource;
  let admin: Admin;
  let stream: string;
  let topic: string;

  beforeAll(async () => {
    site = await FeatureStoreSite.create();
    store = await RunningFeatureStore.start(site);
    database = store.app.get(DataSource);
    const kafka = new Kafka({ brokers: testKafkaBrokers(), logLevel: logLevel.NOTHING });
    admin = kafka.admin();
    await admin.connect();
    stream = uniqueName('arrivals');
    topic = topicOf(events.DataArrived.topic, stream);
    const spec = { source: stream, features: everyAggregate('record.delay', ['3h', '24h']) };
    await store.apply(featureView(spec, uniqueName('by-origin')));
    await store.arrived(stream, arrivals.slice(0, 400));
    // Deliveries are repeated, one record is no event, and a view that comes late is filled from the log.
    await store.arrived(stream, arrivals.slice(300, 400), 300);
    const producer = kafka.producer();
    await producer.connect();
    await producer.send({ topic, messages: [{ key: 'x', value: 'no event at all', partition: 0 }] });
    await producer.disconnect();
    await caughtUp();
    const late = { ...spec, entity: { name: 'destination', key: 'record.destination' } };
    await store.apply(featureView(late, uniqueName('by-destination')));
    await store.arrived(stream, arrivals.slice(400), 400);
    await store.complete(stream, end);
    await caughtUp();
    await eventually(
      async () => expect(await database.query('SELECT 1 FROM view_versions WHERE backfill_to IS NOT NULL')).toEqual([]),
      PATIENCE,
    );
  });

  afterAll(async () => {
    await admin.disconnect();
    await store.stop();
    await site.remove();
  });

  const positions = (): Promise<{ topic: string; partition: number; next: number }[]> =>
    database.query(
      `SELECT topic, partition, next_offset::float8 AS next FROM consumer_positions
        WHERE consumer_group = $1 AND topic = $2 ORDER BY partition`,
      [GROUP, topic],
    );

  async function caughtUp(): Promise<void> {
    await eventually(async () => {
      const ends = await store.log.endOffsets(topic);
      expect(new Map((await positions()).map((row) => [row.partition, row.next]))).toEqual(ends);
    }, PATIENCE);
  }

  /** Ends of every topic, and what Kafka knows of the living group. */
  async function cluster() {
    const topics = (await admin.listTopics()).filter((name) => !name.startsWith('__')).sort();
    const ends: Record<string, string> = {};
    for (const name of topics) {
      const offsets = await admin.fetchTopicOffsets(name);
      ends[name] = offsets
        .map(({ partition, high }) => `${partition}:${high}`)
        .sort()
        .join(' ');
    }
    const { groups } = await admin.describeGroups([GROUP]);
    return { ends, members: groups[0]?.members.map(({ memberId }) => memberId) };
  }

  async function replay(...args: string[]): Promise<ReplayResult> {
    const settings = readConfig(featureStoreConfig, {
      KAFKA_BROKERS: testKafkaBrokers().join(','),
      DATABASE_URL: site.database.url,
      HEADRACE_ARTIFACTS: site.folder,
      LOG_LEVEL: 'error',
    });
    const logger = createLogger('feature-store', 'error', 'stderr');
    return runReplay(
      {
        service: 'feature-store',
        settings,
        logger,
        replayable: featureStoreReplay,
        signal: new AbortController().signal,
      },
      parseReplayArguments('feature-store', featureStoreReplay, args),
      (replaySchema) =>
        createService(FeatureStoreModule, 'feature-store', settings, logger, {
          transports: [KafkaEventServer],
          replaySchema,
        }),
    );
  }

  const summaryOf = ({ summary }: ReplayResult) => summary as ReplaySummary;
  const schemas = async (): Promise<string[]> =>
    (await database.query<{ nspname: string }[]>(`SELECT nspname FROM pg_namespace WHERE nspname LIKE '%replay%'`)).map(
      ({ nspname }) => nspname,
    );

  it('builds the same projection, publishes nothing, and leaves the living group where it is', async () => {
    // The living group has joined for all that it reads: its members stay the same.
    await eventually(() => expect(store.app.get(Readiness).report().ready).toBe(true), PATIENCE);
    const before = { cluster: await cluster(), positions: await positions() };
    // The living service deletes what is beyond a view's retention every few seconds: until it has.
    const result = await eventually(async () => {
      const again = await replay('--compare', '--replace');
      expect(again.comparison).toMatchObject({ same: true, liveAhead: 0 });
      return again;
    }, PATIENCE);
    const rows = new Map(result.comparison?.tables.map(({ name, live }) => [name, live]));
    // Two views of 600 records, four partitions; views of other specs stand on the same log.
    expect(rows.get('feature_records')).toBeGreaterThanOrEqual(1_200);
    expect(rows.get('stream_progress')).toBeGreaterThanOrEqual(4);
    const summary = summaryOf(result);
    expect(summary).toMatchObject({ group: GROUP, fromBeginning: true, waiting: 0 });
    const own = summary.partitions.filter((one) => one.topic === topic);
    expect(own.reduce((sum, { records }) => sum + records, 0)).toBe(600 + 100 + 1 + 4);
    const outcomes = summary.outcomes.filter((one) => one.topic === topic);
    const events = (type: string, outcome: string) =>
      outcomes.find((one) => one.type.endsWith(type) && one.outcome === outcome)?.events;
    expect([events('DataArrived', 'done'), events('DataArrived', 'repeat')]).toEqual([600, 100]);
    expect(events('WatermarkAdvanced', 'done')).toBe(4);
    expect(outcomes.filter(({ outcome }) => outcome === 'dead').map((one) => one.events)).toEqual([1]);
    // Its dead letter stands on the log once: from life.
    expect(summary.withheld).toContainEqual({ topic: deadLetterTopicOf(topic, GROUP), events: 1 });
    expect({ cluster: await cluster(), positions: await positions() }).toEqual(before);
    expect(await database.query('SELECT count(*)::int AS rows FROM feature_store_replay.outbox')).toEqual([
      { rows: 0 },
    ]);
    expect(await database.query('SELECT 1 FROM feature_store_replay.materialization_jobs')).toEqual([]);
  });

  it('says what is different', async () => {
    const tamper = (entity: string) =>
      database.query(
        `UPDATE feature_records SET entity = $1 WHERE ctid = (SELECT ctid FROM feature_records LIMIT 1) RETURNING 1`,
        [entity],
      );
    const [{ entity = '' } = {}] = await database.query<{ entity: string }[]>(
      'SELECT entity FROM feature_records LIMIT 1',
    );
    await tamper('tampered');
    const { comparison } = await replay('--compare', '--replace', '--drop');
    expect(comparison?.same).toBe(false);
    expect(comparison?.tables.filter((table) => !table.same).map(({ name }) => name)).toEqual(['feature_records']);
    await database.query('UPDATE feature_records SET entity = $1 WHERE entity = $2', [entity, 'tampered']);
    expect(await schemas()).toEqual([]);
  });

  it('begins at an offset or a time, and ends where it is told', async () => {
    const ends = await store.log.endOffsets(topic);
    const end0 = ends.get(0) ?? 0;
    const some = summaryOf(await replay('--from-offset', `${topic}:0:${end0 - 5}`, '--drop'));
    expect(some.fromBeginning).toBe(false);
    expect(some.partitions.filter((one) => one.topic === topic && one.partition === 0)).toEqual([
      { topic, partition: 0, from: end0 - 5, to: end0, records: 5 },
    ]);
    const none = summaryOf(await replay('--from-time', new Date(Date.now() + 60_000).toISOString(), '--drop'));
    expect(none.partitions.reduce((sum, { records }) => sum + records, 0)).toBe(0);
    const past = summaryOf(await replay('--to', '2020-01-01T00:00:00Z', '--drop'));
    expect(past.partitions.map(({ to }) => to)).toEqual(past.partitions.map(() => 0));
    await expect(replay('--from-offset', `${topic}:0:${end0 + 1}`, '--from-offset', `${topic}:9:0`)).rejects.toThrow(
      `topic ${topic}, partition 0 holds offsets 0 to ${end0 - 1}, not ${end0 + 1}; topic ${topic} has partitions 0 to 3, not 9`,
    );
    // What failed leaves nothing behind.
    expect(await schemas()).toEqual([]);
  });

  it('tells in a dry run what it would read, and leaves nothing', async () => {
    const { schema, summary } = await replay('--dry-run');
    expect(schema).toBeNull();
    const ends = await store.log.endOffsets(topic);
    expect((summary as ReplaySummary).partitions.filter((one) => one.topic === topic)).toEqual(
      [...ends].map(([partition, to]) => ({ topic, partition, from: 0, to, records: 0 })),
    );
    expect(await schemas()).toEqual([]);
  });

  it('never takes a schema that it did not make, nor an earlier replay unasked', async () => {
    await database.query('CREATE SCHEMA precious');
    await expect(replay('--into', 'precious', '--replace')).rejects.toThrow('schema precious is there and no replay');
    await expect(replay('--into', 'feature_store')).rejects.toThrow('that is the schema in which feature-store lives');
    await replay('--into', 'kept');
    await expect(replay('--into', 'kept')).rejects.toThrow(
      'schema kept holds an earlier replay of feature-store: --replace',
    );
  });

  it('names every fault of its arguments', () => {
    const parse = (...args: string[]) => parseReplayArguments('feature-store', featureStoreReplay, args);
    expect(() => parse('--group', 'x', '--from-offset', 'a:b', '--from-time', 'noon', '--into', 'A b')).toThrow(
      /--group x: expected feature-store\n--into A b: .*\n--from-time noon: expected a time such as .*\n--from-offset a:b: expected topic:partition:offset/,
    );
  });
});
