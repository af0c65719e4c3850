import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { events, topicOf, topics } from '@headrace/contracts';
import type { DatasetVersionRef } from '@headrace/contracts/proto/common/v1/common';
import type { FeatureRef, ScoringJob } from '@headrace/contracts/proto/features/v1/features_service';
import { ScoringRequested } from '@headrace/contracts/proto/registry/v1/registry_events';
import { doubleValue, type FeatureView } from '@headrace/definitions';
import { ModelProcess } from '@headrace/scoring';
import { eventually, uniqueName } from '@headrace/testing';
import type { ScoresManifest } from '../src/domain/scores-manifest';
import { literal, withDuckDb } from '../src/history/duckdb';
import { featureView } from './builders';
import { commitDataset } from './datasets';
import { landings, valid } from './landings';
import { FeatureStoreSite, modelOfSources, RunningFeatureStore, type Arrival } from './running-feature-store';

const MODELS = join(__dirname, '../../inference-gateway/test/fixtures');
const ROUTE = [
  { name: 'origin', type: 'string' },
  { name: 'destination', type: 'string' },
];
const PATIENCE = { timeoutMs: 90_000, intervalMs: 200 };
/** Nine features of two views, and two that the request brings: what the models of the fixtures take. */
const AGGREGATES = [
  { name: 'mean_3h', function: 'mean' as const, of: 'record.delay', window: '3h' },
  { name: 'sum_3h', function: 'sum' as const, of: 'record.delay', window: '3h' },
  { name: 'max_24h', function: 'max' as const, of: 'record.delay', window: '24h' },
  { name: 'mean_24h', function: 'mean' as const, of: 'record.delay', window: '24h' },
  { name: 'count_24h', function: 'count' as const, window: '24h' },
];

describe('scoring a dataset version, on the real Kafka and Postgres', () => {
  jest.setTimeout(180_000);
  let site: FeatureStoreSite;
  let store: RunningFeatureStore;
  let departures: string;
  let arrivals: Arrival[];
  let spine: Arrival[];
  let dataset: DatasetVersionRef;
  let refs: FeatureRef[];
  let request: ScoringRequested;

  beforeAll(async () => {
    site = await FeatureStoreSite.create();
    // Parts of a few rows, so that a job is seen half done.
    store = await RunningFeatureStore.start(site, { SCORING_PART_ROWS: '16' });
    departures = uniqueName('departures');
    const landed = uniqueName('landed');
    const views = ['origin', 'destination'].map((entity): FeatureView => {
      const spec = { source: landed, entity: { name: entity, key: `record.${entity}` }, features: AGGREGATES };
      return featureView(spec, uniqueName(`by-${entity}`));
    });
    for (const view of views) await store.apply(view);
    refs = [
      { name: 'distance', view: '', feature: '', requestExpression: 'request.distance' },
      { name: 'double_distance', view: '', feature: '', requestExpression: 'request.distance * 2.0' },
      ...views.flatMap((view, index) =>
        AGGREGATES.slice(0, index === 0 ? 5 : 4).map(({ name }) => {
          return {
            name: `${view.spec.entity.name}_${name}`,
            view: view.metadata.name,
            feature: name,
            requestExpression: '',
          };
        }),
      ),
    ];
    const plan = uniqueName('late');
    await store.defined(
      valid({
        kind: 'TrainingPlan',
        metadata: { name: plan },
        spec: {
          model: plan,
          task: 'binary',
          spine: { stream: departures, entities: { origin: 'record.origin', destination: 'record.destination' } },
          label: { stream: landed, expression: 'record.delay > 15' },
          // What the plan has become does not matter: the version brings its own features.
          features: [{ name: 'distance', request: 'request.distance' }],
          trainer: { algorithm: 'lightgbm' },
        },
      }),
    );
    arrivals = landings(400, 11);
    await store.arrived(landed, arrivals);
    const end = arrivals.at(-1)?.knownTime ?? 0;
    await store.complete(landed, end);
    spine = landings(300, 12).map(({ fields, ...row }, index) => {
      const { delay: _delay, ...route } = fields;
      return { ...row, fields: { ...route, distance: doubleValue(100 + ((index * 37) % 900)) } };
    });
    const beyond = { ...spine[0], key: 'beyond', knownTime: end + 1 } as Arrival;
    dataset = await commit(departures, [...ROUTE, { name: 'distance', type: 'double' }], rowsOf([...spine, beyond]));
    const ends = Object.fromEntries(await store.log.endOffsets(topicOf(topics.data, landed))) as Record<string, number>;
    await commit(landed, [...ROUTE, { name: 'delay', type: 'double' }], await store.recordsOf(landed), ends);
    request = ScoringRequested.fromPartial({
      model: plan,
      version: 3,
      endpoint: 'late-arrival',
      plan,
      stream: departures,
      datasetVersion: 1,
      requestedBy: 'spec',
      modelArtifact: await model('flight-like.onnx'),
      signature: {
        task: 'binary',
        features: refs.map((ref) => ({ ...ref, entity: '' })),
      },
    });
  });
  afterAll(async () => {
    await store.stop();
    await site.remove();
  });

  function rowsOf(records: readonly Arrival[]) {
    return records.map((record, offset) => ({ ...record, partition: 0, offset }));
  }

  async function commit(
    stream: string,
    schema: { name: string; type: string }[],
    rows: Parameters<typeof commitDataset>[3][number],
    ends: Record<string, number> = {},
  ): Promise<DatasetVersionRef> {
    const ref = await commitDataset(site.artifacts, stream, schema, [rows], ends);
    await store.says(events.DatasetVersionCommitted, {
      dataset: ref,
      rows: rows.length,
      addedRows: rows.length,
      minEventTimeMicros: 0,
      maxEventTimeMicros: 0,
      maxKnownTimeMicros: 0,
      firstRecord: undefined,
      lastRecord: undefined,
    });
    return ref;
  }

  const model = (name: string) => site.artifacts.putBytes(readFileSync(join(MODELS, name)), 'model.onnx');

  async function ask(fields: Partial<ScoringRequested> = {}): Promise<string> {
    const jobId = uniqueName('job');
    await store.says(events.ScoringRequested, { ...request, ...fields, jobId });
    return jobId;
  }

  async function job(jobId: string): Promise<ScoringJob> {
    const { jobs } = await store.call(store.features.listScoringJobs.bind(store.features), { jobId }, 'dana');
    const [found] = jobs;
    if (!found) throw new Error('the job is not there yet');
    return found;
  }

  const ended = (jobId: string): Promise<ScoringJob> =>
    eventually(async () => {
      const found = await job(jobId);
      expect(['done', 'failed']).toContain(found.state);
      return found;
    }, PATIENCE);

  async function scoresOf(digest: string): Promise<{ manifest: ScoresManifest; rows: Map<string, number[]> }> {
    const manifest = JSON.parse((await site.artifacts.read(digest)).toString()) as ScoresManifest;
    const paths = await Promise.all(manifest.files.map((file) => site.artifacts.pathOf(file.digest)));
    const rows = await withDuckDb({ memoryLimit: '500MB', threads: 1 }, async (connection) => {
      const read = await connection.runAndReadAll(`SELECT * FROM read_parquet([${paths.map(literal).join(', ')}])`);
      return new Map(
        read.getRows().map(([key, , , , , ...values]) => {
          return [String(key), values.map((value) => (value === null ? NaN : Number(value)))];
        }),
      );
    });
    return { manifest, rows };
  }

  it('gives each row the features as of its own known time, and the score that the model gives it alone', async () => {
    const done = await ended(await ask());
    expect(done).toMatchObject({
      message: '',
      state: 'done',
      rows: 300,
      rowsScored: 300,
      rowsBeyondSources: 1,
      datasetVersion: 1,
    });
    const { manifest, rows } = await scoresOf(done.manifest?.digest ?? '');
    expect(manifest).toMatchObject({ model: request.model, version: 3, dataset, rows: 300, rowsBeyondSources: 1 });
    expect(manifest.files.map((file) => file.rows)).toEqual([...Array<number>(18).fill(16), 12]);
    expect([...rows.keys()].sort()).toEqual(spine.map(({ key }) => key).sort());

    const online = await store.read(
      refs,
      spine.map(({ knownTime, fields }) => ({
        asOfMicros: knownTime,
        request: fields,
        entities: {
          origin: String(fields['origin']?.kind?.value),
          destination: String(fields['destination']?.kind?.value),
        },
      })),
    );
    const alone = await ModelProcess.start({
      path: join(MODELS, 'flight-like.onnx'),
      columns: refs.length,
      task: 'binary',
      limits: { timeoutMs: 30_000, memoryMiB: 1_024 },
      child: modelOfSources,
    });
    for (const [index, { key }] of spine.entries()) {
      const values = online[index]?.values ?? [];
      const [score] = await alone.score(Float32Array.from(values), 1);
      expect(rows.get(key)).toEqual([...values, score]);
    }
    alone.stop();
    expect(new Set([...rows.values()].map((values) => values.at(-1))).size).toBeGreaterThan(50);

    const [event] = (await store.published(events.DatasetScored)).filter(({ data }) => data.jobId === done.jobId);
    expect(event?.data).toMatchObject({
      dataset,
      manifest: done.manifest,
      rows: 300,
      version: 3,
      endpoint: 'late-arrival',
    });
    expect(event?.data.featureViews).toHaveLength(2);
  });

  it('goes on after a restart where it stopped, and tells of it once; the same inputs give the same bytes', async () => {
    const jobId = await ask();
    await eventually(async () => expect((await job(jobId)).rowsScored).toBeGreaterThan(0), {
      timeoutMs: 60_000,
      intervalMs: 20,
    });
    await store.stop();
    store = await RunningFeatureStore.start(site, { SCORING_PART_ROWS: '16' });
    const done = await ended(jobId);
    expect(done).toMatchObject({ state: 'done', rowsScored: 300 });
    const again = await ended(await ask());
    expect(again.manifest?.digest).toBe(done.manifest?.digest);
    const told = (await store.published(events.DatasetScored)).filter(({ data }) => data.jobId === jobId);
    expect(told).toHaveLength(1);
  });

  it('fails with the reason when the model or the request cannot be used', async () => {
    const hostile = await ask({ modelArtifact: await model('hostile/deeply-nested.onnx') });
    expect(await ended(hostile)).toMatchObject({ state: 'failed', code: 'nested_too_deeply', manifest: undefined });
    const other = await ask({ modelArtifact: await model('hostile/other-output.onnx') });
    expect(await ended(other)).toMatchObject({ state: 'failed', code: 'signature_mismatch' });
    const elsewhere = await ask({ stream: 'landings' });
    expect((await ended(elsewhere)).message).toContain(`has its rows in "${departures}", not in "landings"`);
    const early = await ask({ datasetVersion: 7 });
    await eventually(
      async () => expect((await job(early)).message).toBe(`there is no dataset version 7 of stream "${departures}"`),
      PATIENCE,
    );
    const failed = (await store.published(events.ScoringFailed)).map(({ data }) => data.jobId);
    expect(failed).toEqual(expect.arrayContaining([hostile, other, elsewhere]));
  });
});
