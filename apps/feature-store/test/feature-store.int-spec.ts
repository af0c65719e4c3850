import { events } from '@headrace/contracts';
import { FeatureStatus } from '@headrace/contracts/proto/features/v1/features_service';
import type { PredictionServed } from '@headrace/contracts/proto/inference/v1/inference_events';
import { doubleValue, versionOf, type FeatureView } from '@headrace/definitions';
import { MICROS } from '@headrace/event-time';
import { Readiness } from '@headrace/service-kit';
import { eventually, uniqueName } from '@headrace/testing';
import { DataSource } from 'typeorm';
import { literal, withDuckDb } from '../src/history/duckdb';
import { compiled, everyAggregate, featureView, randomNumbers } from './builders';
import { commitDataset } from './datasets';
import { START, AIRPORTS, landings, oracleOf, refsOf, valid, stream } from './landings';
import { featureAt } from './oracle';
import { FeatureStoreSite, RunningFeatureStore, type Arrival } from './running-feature-store';

const ROUTE = [
  { name: 'origin', type: 'string' },
  { name: 'destination', type: 'string' },
];

describe('the feature store on the real Kafka and Postgres', () => {
  jest.setTimeout(120_000);
  let site: FeatureStoreSite;
  let store: RunningFeatureStore;
  let arrivalsStream: string;
  let byOrigin: FeatureView;
  let byDestination: FeatureView;

  // One database for all: the log recognises what a new one writes as repeats of what the old one wrote.
  beforeAll(async () => {
    site = await FeatureStoreSite.create();
    store = await RunningFeatureStore.start(site);
  });
  afterAll(async () => {
    await store.stop();
    await site.remove();
  });
  beforeEach(() => {
    arrivalsStream = uniqueName('arrivals');
    const spec = { source: arrivalsStream, features: everyAggregate('record.delay', ['3h', '24h']) };
    byOrigin = featureView(spec, uniqueName('by-origin'));
    byDestination = featureView(
      { ...spec, entity: { name: 'destination', key: 'record.destination' } },
      uniqueName('by-destination'),
    );
  });

  /** Reads at moments that are complete, and what the definition says they must be. */
  async function expectExact(definition: FeatureView, arrivals: readonly Arrival[], moments: readonly number[]) {
    const view = compiled(definition);
    const records = oracleOf(view, arrivals);
    const rows = moments.map((asOfMicros, index) => ({
      asOfMicros,
      entities: { [view.entity]: AIRPORTS[index % AIRPORTS.length] ?? '' },
    }));
    const answers = await store.read(refsOf(view), rows);
    const expected = rows.map(({ asOfMicros, entities }) =>
      [...view.features.values()].map((feature) =>
        featureAt(records, feature, entities[view.entity] ?? '', asOfMicros),
      ),
    );
    expect(answers.map(({ values }) => values)).toEqual(expected);
    expect(answers.map(({ statuses }) => statuses)).toEqual(
      expected.map((values) =>
        values.map((value) => (Number.isNaN(value) ? FeatureStatus.MISSING : FeatureStatus.PRESENT)),
      ),
    );
    return answers;
  }

  function moments(count: number, to: number): number[] {
    const random = randomNumbers(77);
    return Array.from({ length: count }, () => Math.floor(START + random() * (to - START)));
  }

  it('reads online what the definition says, whatever order and partitions records came by', async () => {
    await store.apply(byOrigin);
    await store.apply(byDestination);
    const arrivals = landings(1_500, 1);
    await store.arrived(arrivalsStream, arrivals);
    const end = arrivals.at(-1)?.knownTime ?? 0;
    await store.complete(arrivalsStream, end);
    await expectExact(byOrigin, arrivals, moments(150, end));
    await expectExact(byDestination, arrivals, moments(150, end));
  });

  it('lets a read wait until its moment is complete, and says so when it waited in vain', async () => {
    await store.apply(byOrigin);
    const arrivals = landings(200, 2);
    const end = arrivals.at(-1)?.knownTime ?? 0;
    const half = arrivals.slice(0, 100);
    await store.arrived(arrivalsStream, half);
    await store.complete(arrivalsStream, half.at(-1)?.knownTime ?? 0);
    await expectExact(byOrigin, half, [half.at(-1)?.knownTime ?? 0]);

    const view = compiled(byOrigin);
    const row = { asOfMicros: end, entities: { origin: 'ATL' } };
    const [inVain] = await store.read(refsOf(view), [row], 100);
    expect(new Set(inVain?.statuses)).toEqual(new Set([FeatureStatus.STALE]));

    const waiting = expectExact(byOrigin, arrivals, [end]);
    await store.arrived(arrivalsStream, arrivals.slice(100), 100);
    await store.complete(arrivalsStream, end);
    await waiting;
  });

  it('takes in a record that comes behind the watermark, as a redrive brings it', async () => {
    await store.apply(byOrigin);
    const arrivals = landings(300, 8);
    const end = arrivals.at(-1)?.knownTime ?? 0;
    await store.arrived(arrivalsStream, arrivals.slice(0, 250));
    await store.complete(arrivalsStream, end);
    await expectExact(byOrigin, arrivals.slice(0, 250), moments(60, end));
    await store.arrived(arrivalsStream, arrivals.slice(250), 250);
    // Nobody announces a late record: reads see it once it is committed.
    await eventually(() => expectExact(byOrigin, arrivals, moments(60, end)));
  });

  it('says in its readiness which partition waits for what, and takes it in afterwards', async () => {
    await store.apply(byOrigin);
    const database = store.app.get(DataSource);
    const arrivals = landings(20, 11);
    const end = arrivals.at(-1)?.knownTime ?? 0;
    await database.query(`
      CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS
        $$ BEGIN RAISE EXCEPTION 'two transactions met' USING ERRCODE = '40001'; END $$;
      CREATE TRIGGER refuse BEFORE INSERT ON feature_records EXECUTE FUNCTION refuse()`);
    const report = () => store.app.get(Readiness).report();
    try {
      await store.arrived(arrivalsStream, arrivals);
      const waits = new RegExp(`group feature-store waits at data\\.${arrivalsStream}\\.v1/\\d: two transactions met`);
      await eventually(() => expect(report().notReady['events']).toMatch(waits));
    } finally {
      await database.query('DROP FUNCTION refuse CASCADE');
    }
    await store.complete(arrivalsStream, end);
    await expectExact(byOrigin, arrivals, [end]);
    await eventually(() => expect(report().ready).toBe(true));
  });

  it('counts nothing twice when it is restarted in the middle and deliveries are repeated', async () => {
    await store.apply(byOrigin);
    const arrivals = landings(600, 3);
    const end = arrivals.at(-1)?.knownTime ?? 0;
    await store.arrived(arrivalsStream, arrivals.slice(0, 300));
    await store.stop();
    store = await RunningFeatureStore.start(site);
    await store.arrived(arrivalsStream, arrivals.slice(200, 300), 200);
    await store.arrived(arrivalsStream, arrivals.slice(300), 300);
    await store.complete(arrivalsStream, end);
    await expectExact(byOrigin, arrivals, moments(60, end));
  });

  it('fills a view that comes later, or changes, from the log', async () => {
    await store.apply(byOrigin);
    const arrivals = landings(400, 4);
    const end = arrivals.at(-1)?.knownTime ?? 0;
    await store.arrived(arrivalsStream, arrivals);
    await store.complete(arrivalsStream, end);
    await expectExact(byOrigin, arrivals, [end]);

    await store.apply(byDestination);
    const changed: FeatureView = {
      ...byOrigin,
      spec: { ...byOrigin.spec, features: everyAggregate('record.delay * 2.0', ['3h', '2d']) },
    };
    await store.apply(changed);
    const more = landings(100, 5, end + 1);
    await store.arrived(arrivalsStream, more, arrivals.length);
    const last = more.at(-1)?.knownTime ?? 0;
    await store.complete(arrivalsStream, last);
    await eventually(() => expectExact(byDestination, [...arrivals, ...more], moments(30, last)));
    await eventually(() => expectExact(changed, [...arrivals, ...more], moments(30, last)));
  });

  it('refuses what it does not know, by name, and tells an expired moment from a missing value', async () => {
    const shortLived: FeatureView = { ...byOrigin, spec: { ...byOrigin.spec, retention: '1d' } };
    await store.apply(shortLived);
    const arrivals = landings(1_000, 6);
    const end = arrivals.at(-1)?.knownTime ?? 0;
    await store.arrived(arrivalsStream, arrivals);
    await store.complete(arrivalsStream, end);
    const refs = refsOf(compiled(shortLived));
    await eventually(async () => {
      const [expired] = await store.read(refs, [{ asOfMicros: START, entities: { origin: 'ATL' } }]);
      expect(new Set(expired?.statuses)).toEqual(new Set([FeatureStatus.EXPIRED]));
    });
    await expect(store.read(refs, [{ entities: {} }])).rejects.toMatchObject({
      details: expect.stringContaining('origin'),
    });
    await expect(store.read(refs, [{ entities: { origin: 'A\0' } }])).rejects.toMatchObject({
      details: expect.stringContaining('origin'),
    });
    await expect(
      store.read([{ name: 'x', view: 'nowhere', feature: 'x', requestExpression: '' }], [{}]),
    ).rejects.toMatchObject({ details: expect.stringContaining('nowhere') });
  });

  it('joins a training set whose features are what a read then would have been, and finds served ones that are not', async () => {
    const departures = uniqueName('departures');
    const name = uniqueName('late-arrival');
    const fields = { flight: { type: 'string' }, at: { type: 'timestamp' } };
    const departure = stream(departures, 'flight', { ...fields, distance: { type: 'double' } });
    await store.defined(departure);
    await store.defined(stream(arrivalsStream, 'flight', { ...fields, delay: { type: 'double' } }));
    await store.defined(valid({ kind: 'Model', metadata: { name }, spec: { task: 'binary' } }));
    await store.apply(byOrigin);
    await store.apply(byDestination);
    const refs = [
      { name: 'distance', view: '', feature: '', requestExpression: 'request.distance' },
      ...refsOf(compiled(byOrigin)),
      ...refsOf(compiled(byDestination)),
    ];
    const plan = valid({
      kind: 'TrainingPlan',
      metadata: { name },
      spec: {
        model: name,
        task: 'binary',
        spine: { stream: departures, entities: { origin: 'record.origin', destination: 'record.destination' } },
        label: { stream: arrivalsStream, expression: 'record.delay > 15.0' },
        features: refs.map((ref) =>
          ref.view === ''
            ? { name: ref.name, request: ref.requestExpression }
            : { name: ref.name, view: ref.view, feature: ref.feature },
        ),
        trainer: { algorithm: 'lightgbm' },
      },
    });
    await store.defined(plan);
    await store.defined(valid({ kind: 'Endpoint', metadata: { name }, spec: { model: name, joinKey: 'flight' } }));

    const arrivals = landings(500, 7);
    const end = arrivals.at(-1)?.knownTime ?? 0;
    await store.arrived(arrivalsStream, arrivals);
    await store.complete(arrivalsStream, end);
    const spine = arrivals.map(({ key, eventTime, fields: { origin, destination } }, index): Arrival => {
      const at = eventTime - 2 * MICROS.h;
      const distance = doubleValue(100 + index);
      return {
        key,
        eventTime: at,
        knownTime: at,
        fields: { ...(origin && { origin }), ...(destination && { destination }), distance },
      };
    });
    const ends = [...(await store.log.endOffsets(`data.${arrivalsStream}.v1`))].map(([p, to]) => [String(p), to]);
    const datasets = [
      await commitDataset(
        site.artifacts,
        departures,
        [...ROUTE, { name: 'distance', type: 'double' }],
        [spine.map((record, offset) => ({ ...record, partition: 0, offset }))],
      ),
      await commitDataset(
        site.artifacts,
        arrivalsStream,
        [...ROUTE, { name: 'delay', type: 'double' }],
        [await store.recordsOf(arrivalsStream)],
        Object.fromEntries(ends) as Record<string, number>,
      ),
    ];
    const ask = async (shuffleLabels: boolean) => {
      const runId = uniqueName('run');
      const [requestId] = await store.says(events.TrainingRequested, {
        runId,
        plan: name,
        planVersion: versionOf(plan),
        model: name,
        trigger: 'manual',
        reason: '',
        datasets,
        fromEventTimeMicros: 0,
        toEventTimeMicros: 0,
        shuffleLabels,
        requestedBy: 'spec',
      });
      const materialized = await eventually(
        async () => {
          const made = await store.published(events.FeaturesMaterialized);
          const [event] = made.filter(({ data }) => data.runId === runId);
          if (!event) throw new Error('nothing was materialized');
          return event;
        },
        { timeoutMs: 30_000, intervalMs: 250 },
      );
      return { requestId, materialized };
    };
    const { requestId, materialized } = await ask(false);
    // Another run on the same inputs takes over what was joined, under its own name and cause.
    const again = await ask(true);
    expect({ ...again.materialized.data, runId: '' }).toEqual({ ...materialized.data, runId: '' });
    expect(again.materialized.causationId).toBe(again.requestId);
    expect(materialized.causationId).toBe(requestId);
    expect(materialized.data.columns.map((column) => column.name)).toEqual(refs.map((ref) => ref.name));
    const path = await site.artifacts.pathOf(materialized.data.trainingSet?.digest ?? '');
    const rows = await withDuckDb({ memoryLimit: '500MB', threads: 1 }, async (connection) => {
      const read = await connection.runAndReadAll(`SELECT * FROM read_parquet(${literal(path)})`);
      return new Map(read.getRows().map(([key, , , ...values]) => [String(key), values]));
    });
    const labelled = spine.filter((_, index) => arrivals[index]?.fields['delay'] !== undefined);
    const used = labelled.filter(({ eventTime }) => eventTime <= end);
    expect([...rows.keys()].sort()).toEqual(used.map(({ key }) => key).sort());
    expect(materialized.data.rowsWithoutLabel).toBe(arrivals.length - labelled.length);

    const asked = used.map(({ eventTime, fields: request }) => ({
      asOfMicros: eventTime,
      request,
      entities: {
        origin: String(request['origin']?.kind?.value),
        destination: String(request['destination']?.kind?.value),
      },
    }));
    const online = await store.read(refs, asked);
    expect(online.map(({ values }) => values)).toEqual(
      used.map(({ key }) => rows.get(key)?.map((value) => (value === null ? NaN : value))),
    );

    const [, arrivalsDataset] = datasets;
    await store.says(events.DatasetVersionCommitted, {
      dataset: arrivalsDataset,
      rows: 500,
      addedRows: 500,
      minEventTimeMicros: 0,
      maxEventTimeMicros: 0,
      maxKnownTimeMicros: end,
      firstRecord: undefined,
      lastRecord: undefined,
    });
    const served = online.map((vector, index): PredictionServed => ({
      predictionId: `${name}-${index}`,
      endpoint: name,
      model: name,
      version: 1,
      assignment: 'champion',
      joinKey: used[index]?.key ?? '',
      asOfMicros: vector.asOfMicros,
      servedAtMicros: 0,
      featureNames: refs.map((ref) => ref.name),
      // One answer was served with a feature that never was.
      featureValues: vector.values.map((value, position) => (index === 7 && position === 0 ? value + 1 : value)),
      featureStatuses: vector.statuses,
      watermarkMicros: vector.watermarkMicros,
      entities: asked[index]?.entities ?? {},
      request: asked[index]?.request ?? {},
      output: 0.5,
      shadowScores: [],
      fallback: index === 3,
      fallbackReason: '',
      guardrails: [],
      latencyMicros: 0,
      deploymentGeneration: 1,
      rolloutId: '',
    }));
    await store.says(events.PredictionServed, ...served);
    const check = store.features.checkServingSkew.bind(store.features);
    await eventually(async () => {
      expect(await store.call(check, { endpoint: name }, 'dana')).toEqual({
        compared: served.length - 1,
        different: 1,
        skipped: 1,
        examples: [
          {
            predictionId: `${name}-7`,
            feature: 'distance',
            served: served[7]?.featureValues[0],
            joined: (served[7]?.featureValues[0] ?? NaN) - 1,
          },
        ],
      });
    });
  });
});
