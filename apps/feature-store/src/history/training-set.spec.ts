import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ArtifactStore } from '@headrace/artifacts';
import { doubleValue, stringValue, validateDefinition, type TrainingPlan } from '@headrace/definitions';
import { MICROS } from '@headrace/event-time';
import { compiled, featureView, randomNumbers } from '../../test/builders';
import { commitDataset, type DatasetRow } from '../../test/datasets';
import { featureAt } from '../../test/oracle';
import { resolveColumns } from '../domain/training-columns';
import { openDataset, type Dataset } from './dataset';
import { literal, withDuckDb } from './duckdb';
import { materializeTrainingSet, type TrainingSetOutcome } from './training-set';

const START = 980_000_000_000_000;
const SETTINGS = { memoryLimit: '500MB', threads: 2 };

function trainingPlan(spec: Partial<TrainingPlan['spec']> = {}): TrainingPlan {
  const result = validateDefinition({
    apiVersion: 'headrace.dev/v1',
    kind: 'TrainingPlan',
    metadata: { name: 'late-arrival' },
    spec: {
      model: 'late-arrival',
      task: 'binary',
      spine: { stream: 'flight-departures', entities: { origin: 'record.origin', destination: 'record.destination' } },
      label: { stream: 'flight-arrivals', expression: 'record.delay > 15.0' },
      features: [
        { name: 'distance', request: 'request.distance' },
        { name: 'origin_mean_3h', view: 'origin-delays', feature: 'mean_3h' },
        { name: 'destination_share_24h', view: 'destination-delays', feature: 'mean_24h' },
        { name: 'destination_worst', view: 'destination-delays', feature: 'max_24h' },
      ],
      trainer: { algorithm: 'lightgbm' },
      ...spec,
    },
  });
  if (result.kind === 'invalid') throw new Error(JSON.stringify(result.faults));
  return result.definition as TrainingPlan;
}

interface Flight {
  readonly departure: DatasetRow;
  readonly arrival: DatasetRow | undefined;
}

function flights(count: number, random: () => number): Flight[] {
  const airport = (): string => 'ABC'[Math.floor(random() * 3)] ?? 'A';
  return Array.from({ length: count }, (_, n): Flight => {
    const departed = START + Math.floor(random() * 3 * MICROS.d);
    const landed = departed + Math.floor((1 + random() * 4) * MICROS.h);
    const position = { key: `f${n}`, partition: n % 4, offset: Math.floor(n / 4) };
    const route = { origin: stringValue(airport()), destination: stringValue(airport()) };
    return {
      departure: {
        ...position,
        eventTime: departed,
        knownTime: departed,
        fields: { ...route, distance: doubleValue(100 + n) },
      },
      arrival:
        random() < 0.1
          ? undefined
          : {
              ...position,
              eventTime: landed,
              knownTime: landed + Math.floor(random() * MICROS.h),
              fields: { ...route, delay: doubleValue((random() - 0.5) * 100) },
            },
    };
  });
}

const ROUTE = [
  { name: 'origin', type: 'string' },
  { name: 'destination', type: 'string' },
];

describe('a training set', () => {
  const originDelays = compiled(featureView());
  const destinationDelays = compiled(
    featureView({ entity: { name: 'destination', key: 'record.destination' } }, 'destination-delays'),
  );
  const views = new Map([originDelays, destinationDelays].map((view) => [view.name, view]));
  let folder: string;
  let artifacts: ArtifactStore;

  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'feature-store-spec-'));
    artifacts = new ArtifactStore(folder);
  });
  afterEach(() => rm(folder, { recursive: true }));

  async function datasetsOf(departures: DatasetRow[][], arrivals: DatasetRow[][]): Promise<Map<string, Dataset>> {
    const spine = [...ROUTE, { name: 'distance', type: 'double' }];
    const source = [...ROUTE, { name: 'delay', type: 'double' }];
    const refs = [
      await commitDataset(artifacts, 'flight-departures', spine, departures),
      await commitDataset(artifacts, 'flight-arrivals', source, arrivals),
    ];
    return new Map(
      await Promise.all(refs.map(async (ref) => [ref.stream, await openDataset(artifacts, ref)] as const)),
    );
  }

  async function materialized(
    plan: TrainingPlan,
    datasets: ReadonlyMap<string, Dataset>,
    range: { from?: number; to?: number; completeUntil?: number } = {},
  ): Promise<{ outcome: TrainingSetOutcome; rows: unknown[][]; bytes: Buffer }> {
    const resolved = resolveColumns(plan, views);
    if (resolved.kind === 'faulty') throw new Error(resolved.fault.message);
    return withDuckDb(SETTINGS, async (connection, work) => {
      const outcome = await materializeTrainingSet(connection, work, {
        plan,
        columns: resolved.columns,
        datasets,
        fromMicros: range.from ?? 0,
        toMicros: range.to ?? 0,
        completeUntilMicros: range.completeUntil ?? Infinity,
      });
      if (outcome.kind === 'failed') return { outcome, rows: [], bytes: Buffer.alloc(0) };
      const read = await connection.runAndReadAll(
        `SELECT * REPLACE (event_time::DOUBLE AS event_time) FROM read_parquet(${literal(outcome.set.path)})`,
      );
      return { outcome, rows: read.getRows(), bytes: await readFile(outcome.set.path) };
    });
  }

  it('has a row for each labelled spine record, with what was known at its moment', async () => {
    const all = flights(400, randomNumbers(3));
    const departures = all.map(({ departure }) => departure);
    const arrivals = all.flatMap(({ arrival }) => (arrival ? [arrival] : []));
    const datasets = await datasetsOf(
      [departures.slice(0, 150), departures.slice(150)],
      [arrivals.slice(0, 10), arrivals.slice(10)],
    );
    const { outcome, rows } = await materialized(trainingPlan(), datasets);

    const recordsOf = (view: typeof originDelays) =>
      arrivals.map(({ eventTime, knownTime, fields }) => ({
        eventTime,
        knownTime,
        entity: view.project(fields)?.entity ?? '',
        inputs: view.project(fields)?.inputs ?? [],
      }));
    const expected = all
      .flatMap(({ departure, arrival }) => {
        if (!arrival) return [];
        const { key, eventTime, fields } = departure;
        const at = (view: typeof originDelays, name: string): number | null => {
          const feature = view.features.get(name);
          const entity = fields[view.entity]?.kind?.value;
          const value = feature ? featureAt(recordsOf(view), feature, String(entity), eventTime) : NaN;
          return Number.isNaN(value) ? null : value;
        };
        return [
          [
            key,
            eventTime,
            Number(arrival.fields['delay']?.kind?.value) > 15 ? 1 : 0,
            fields['distance']?.kind?.value,
            at(originDelays, 'mean_3h'),
            at(destinationDelays, 'mean_24h'),
            at(destinationDelays, 'max_24h'),
          ],
        ];
      })
      .sort(([a, s], [b, t]) => Number(s) - Number(t) || String(a).localeCompare(String(b)));
    expect(rows).toEqual(expected);
    expect(outcome).toMatchObject({
      kind: 'materialized',
      set: {
        rows: arrivals.length,
        rowsWithoutLabel: all.length - arrivals.length,
        minEventTimeMicros: expected[0]?.[1],
        maxEventTimeMicros: expected.at(-1)?.[1],
      },
    });
  });

  it('is the same bytes however its records are spread over files', async () => {
    const all = flights(300, randomNumbers(5));
    const departures = all.map(({ departure }) => departure);
    const arrivals = all.flatMap(({ arrival }) => (arrival ? [arrival] : []));
    const one = await materialized(trainingPlan(), await datasetsOf([departures], [arrivals]));
    const other = await materialized(
      trainingPlan(),
      await datasetsOf(
        [departures.slice(200).reverse(), departures.slice(0, 200)],
        [arrivals.slice(50), arrivals.slice(0, 50)],
      ),
    );
    expect(other.bytes.equals(one.bytes)).toBe(true);
  });

  it('takes the newest label known of a key', async () => {
    const { departure } = flights(1, randomNumbers(1))[0] as Flight;
    const label = (delay: number, knownTime: number, offset: number): DatasetRow => ({
      ...departure,
      knownTime,
      offset,
      fields: { ...departure.fields, delay: doubleValue(delay) },
    });
    const known = departure.knownTime;
    const datasets = await datasetsOf(
      [[departure]],
      [[label(0, known + 5, 1), label(99, known + 9, 2), label(0, known + 9, 1), label(0, known + 7, 8)]],
    );
    expect((await materialized(trainingPlan(), datasets)).rows.map((row) => row[2])).toEqual([1]);
  });

  it('leaves out what lies outside its range, its lookback, or beyond what its sources are complete to', async () => {
    const all = flights(200, () => 0.5).map((flight, n) => ({
      departure: { ...flight.departure, eventTime: START + n * MICROS.h },
      arrival: flight.arrival,
    }));
    const datasets = await datasetsOf(
      [all.map(({ departure }) => departure)],
      [all.flatMap(({ arrival }) => (arrival ? [arrival] : []))],
    );
    const keysOf = async (...rest: [TrainingPlan, { from?: number; to?: number; completeUntil?: number }]) => {
      const { rows } = await materialized(rest[0], datasets, rest[1]);
      return [rows.length, rows[0]?.[0], rows.at(-1)?.[0]];
    };
    const from = START + 10 * MICROS.h;
    const to = START + 20 * MICROS.h;
    expect(await keysOf(trainingPlan(), { from, to })).toEqual([10, 'f10', 'f19']);
    expect(await keysOf(trainingPlan({ lookback: '5h' }), { to })).toEqual([5, 'f15', 'f19']);
    expect(await keysOf(trainingPlan(), { completeUntil: to })).toEqual([21, 'f0', 'f20']);
    expect((await materialized(trainingPlan(), datasets, { completeUntil: -Infinity })).outcome).toMatchObject({
      kind: 'failed',
      fault: { code: 'no_rows' },
    });
  });

  it('cannot be made when a dataset that it needs is not named', async () => {
    const datasets = await datasetsOf([[]], [[]]);
    datasets.delete('flight-arrivals');
    expect((await materialized(trainingPlan(), datasets)).outcome).toMatchObject({
      kind: 'failed',
      fault: { code: 'dataset_missing' },
    });
  });
});
