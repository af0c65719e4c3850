// What the tables keep of predictions and labels, statement by statement.
import { saveLabels, type LabelRow } from '../src/database/labels.repository';
import { joinLabels, joinPredictions, readLabelsOf, readPairs } from '../src/database/outcomes.repository';
import type { ServedEvent } from '../src/database/prediction-batches';
import { findPredictionRef, insertPredictions } from '../src/database/predictions.repository';
import { advanceWatermark, prune, readWatermark } from '../src/database/progress.repository';
import { addScores, forgetRollouts, saveCheck } from '../src/database/rollout-scores.repository';
import { lastScored } from '../src/database/scored-predictions.repository';
import type { Queries } from '../src/database/sql';
import { openTables, type OpenDatabase } from './open-database';
import { served } from './running-monitoring';
import { scoredRows } from './windows';

const judged = { endpoint: 'e', source: 's#1' };

function label(overrides: Partial<LabelRow> = {}): LabelRow {
  return {
    source: judged.source,
    key: 'k1',
    value: 1,
    eventTimeMicros: 200,
    knownTimeMicros: 300,
    publishedMicros: 1_000,
    eventId: 'label-1',
    correlationId: 'loop',
    traceparent: undefined,
    ...overrides,
  };
}

const insert = async (queries: Queries, events: readonly ServedEvent[]): Promise<string[]> =>
  (await insertPredictions(queries, events)).map(({ data }) => data.predictionId);

const dataOf = (events: readonly ServedEvent[]): ServedEvent['data'][] => events.map(({ data }) => data);

describe('the facts in the tables', () => {
  let database: OpenDatabase;
  let queries: Queries;

  beforeEach(async () => {
    database = await openTables('facts');
    ({ queries } = database);
  }, 30_000);
  afterEach(() => database.close());

  it('keeps a prediction once, with missing features as NaN and its place on the log', async () => {
    const traceparent = '00-0123456789abcdef0123456789abcdef-0123456789abcdef-01';
    const event = served({ predictionId: 'p1', featureNames: ['a', 'b'], featureValues: [1.5, Number.NaN] });
    const without = { ...served({ predictionId: 'p2', asOfMicros: 101 }), correlationId: 'p2', traceparent, offset: 9 };
    expect(await insert(queries, [event, event, without])).toEqual(['p1', 'p2']);
    expect(await insert(queries, [event])).toEqual([]);
    expect(await scoredRows(queries, 'e', 1, 0, 1_000)).toEqual([
      { names: ['a', 'b'], features: Float64Array.of(1.5, Number.NaN), score: 0.25 },
      { names: [], features: new Float64Array(0), score: 0.25 },
    ]);
    expect(await lastScored(queries, { endpoint: 'e', version: 1, fromMicros: 0, toMicros: 1_000 })).toBe('p2');
    expect(await lastScored(queries, { endpoint: 'e', version: 1, fromMicros: 0, toMicros: 101 })).toBe('p1');
    expect(await findPredictionRef(queries, 'p1')).toEqual({
      ref: expect.objectContaining({ id: 'p1', partition: 2, offset: 7, causationId: 'deployment' }) as unknown,
      cause: { eventId: 'p1', correlationId: 'loop' },
      publishedMicros: 1_000,
    });
    expect(await findPredictionRef(queries, 'p2')).toMatchObject({
      ref: { id: 'p2', partition: 2, offset: 9 },
      cause: { eventId: 'p2', correlationId: 'p2', traceparent },
    });
  });

  it('counts a retry once, also when another gateway answered it by another version', async () => {
    const first = served({ predictionId: 'p1', version: 1, output: 0.25 });
    const retry = {
      ...served({ predictionId: 'p1', version: 2, output: 0.75 }),
      producer: { shard: 'other', sequence: 9 },
    };
    const [before, behind] = ['p0', 'p3'].map((predictionId) =>
      served({
        predictionId,
        version: 2,
        output: 0.5,
        featureNames: ['a'],
        featureValues: [predictionId === 'p0' ? 10 : 13],
      }),
    );
    expect(await insert(queries, [first])).toEqual(['p1']);
    // What is new in its batch is kept, and once.
    expect(
      await insert(
        queries,
        [before, retry, behind].flatMap((event) => event ?? []),
      ),
    ).toEqual(['p0', 'p3']);
    expect(await scoredRows(queries, 'e', 1, 0, 1_000)).toMatchObject([{ score: 0.25 }]);
    const scored = await scoredRows(queries, 'e', 2, 0, 1_000);
    expect(scored.map(({ features }) => features[0])).toEqual([10, 13]);
    const rows = await queries.query('SELECT prediction_id AS id, features FROM served_predictions ORDER BY 1');
    const float8 = (value: number): Buffer => {
      const bytes = Buffer.alloc(8);
      bytes.writeDoubleBE(value);
      return bytes;
    };
    expect(rows).toEqual([
      { id: 'p0', features: float8(10) },
      { id: 'p1', features: Buffer.alloc(0) },
      { id: 'p3', features: float8(13) },
    ]);
  });

  it('counts what a version scored beside the answer, and no fallback', async () => {
    await insertPredictions(queries, [
      served({ predictionId: 'p1', version: 2, output: 0.9, shadowScores: [{ version: 1, output: 0.4 }] }),
      served({ predictionId: 'p2', version: 2 }),
      served({ predictionId: 'p3', version: 1, fallback: true }),
    ]);
    expect(await scoredRows(queries, 'e', 1, 0, 1_000)).toMatchObject([{ score: 0.4 }]);
    expect((await scoredRows(queries, 'e', 2, 0, 1_000)).map(({ score }) => score)).toEqual([0.9, 0.25]);
    expect(await lastScored(queries, { endpoint: 'e', version: 1, fromMicros: 0, toMicros: 1_000 })).toBe('p1');
  });

  it('reads a window from many batches, and only what lies in it', async () => {
    const asOf = Array.from({ length: 200 }, (_, index) => (index * 37) % 200);
    for (const [index, asOfMicros] of asOf.entries()) {
      const features = { featureNames: ['a'], featureValues: [asOfMicros] };
      await insertPredictions(queries, [
        served({ predictionId: `p${index}`, asOfMicros, ...features }),
        served({ predictionId: `q${index}`, asOfMicros: asOfMicros + 200, ...features }),
        served({ predictionId: `r${index}`, asOfMicros, endpoint: 'other' }),
      ]);
    }
    const scored = await scoredRows(queries, 'e', 1, 50, 150);
    const values = scored.map(({ features }) => features[0] ?? -1).sort((a, b) => a - b);
    expect(values).toEqual(Array.from({ length: 100 }, (_, index) => index + 50));
  }, 30_000);

  it('replaces a label by a correction that became known later, and joins the prediction anew', async () => {
    await insertPredictions(queries, [served({ predictionId: 'p1', joinKey: 'k1' })]);
    const first = await saveLabels(queries, [label()]);
    expect(await joinLabels(queries, first, [judged])).toMatchObject([{ predictionId: 'p1', label: 1, isNew: true }]);
    expect(await saveLabels(queries, [label({ value: 0, knownTimeMicros: 250 })])).toEqual([]);
    const corrections = await saveLabels(queries, [
      label({ value: 0.5, knownTimeMicros: 310 }),
      label({ value: 0, knownTimeMicros: 400, eventId: 'label-2' }),
    ]);
    expect(await joinLabels(queries, corrections, [judged])).toMatchObject([
      { predictionId: 'p1', label: 0, isNew: false, labelEventId: 'label-2' },
    ]);
  });

  it('tells what came true about one prediction, by the sources that are asked for', async () => {
    await insertPredictions(queries, [served({ predictionId: 'p1', joinKey: 'k1' })]);
    expect(await readLabelsOf(queries, 'p1', [judged.source])).toEqual([]);
    await joinLabels(queries, await saveLabels(queries, [label()]), [judged]);
    const first = { stream: 's', label: 1, eventTimeMicros: 200, knownTimeMicros: 300, eventId: 'label-1' };
    expect(await readLabelsOf(queries, 'p1', [judged.source, 'other#1'])).toEqual([first]);
    expect(await readLabelsOf(queries, 'p1', ['other#1'])).toEqual([]);
    expect(await readLabelsOf(queries, 'p2', [judged.source])).toEqual([]);
  });

  it('joins no fallback and no prediction of another endpoint', async () => {
    await saveLabels(queries, [label()]);
    const events = [
      served({ predictionId: 'p1', joinKey: 'k1', fallback: true }),
      served({ predictionId: 'p2', joinKey: 'k1', endpoint: 'other' }),
      served({ predictionId: 'p3', joinKey: 'k1' }),
      served({ predictionId: 'p4', joinKey: 'without-label' }),
    ];
    await insertPredictions(queries, events);
    const joined = await joinPredictions(queries, dataOf(events), [judged]);
    expect(joined.map((one) => one.predictionId)).toEqual(['p3']);
    expect(await joinPredictions(queries, dataOf(events), [judged])).toEqual([]);
  });

  it('pairs the scores of a rollout, whoever of the two answered', async () => {
    const rollout = { rolloutId: 'r', champion: 1, candidate: 2 };
    await saveLabels(queries, [label()]);
    const shadowScores = (version: number, output: number) => [{ version, output }];
    const events = [
      served({ predictionId: 'p1', joinKey: 'k1', rolloutId: 'r', output: 0.5, shadowScores: shadowScores(2, 0.8) }),
      served({
        predictionId: 'p2',
        joinKey: 'k1',
        rolloutId: 'r',
        version: 2,
        output: 0.8,
        shadowScores: shadowScores(1, 0.5),
      }),
      served({ predictionId: 'p3', joinKey: 'k1', rolloutId: 'r' }),
      served({ predictionId: 'p4', joinKey: 'k1', rolloutId: '', shadowScores: shadowScores(2, 0.8) }),
    ];
    await insertPredictions(queries, events);
    await joinPredictions(queries, dataOf(events), [judged]);
    const pairs = await readPairs(queries, judged.source, rollout, undefined, 1_000);
    expect(pairs.map((pair) => pair.predictionId)).toEqual(['p1', 'p2']);
    for (const pair of pairs) expect(pair.difference).toBeCloseTo(0.25 - 0.04, 12);
    expect(await readPairs(queries, judged.source, rollout, 201, 1_000)).toEqual([]);
  });

  it('has no watermark until every partition has one, and then the lowest', async () => {
    for (const partition of [0, 1, 2]) await advanceWatermark(queries, 'stream', partition, 10 + partition);
    expect(await readWatermark(queries, 'stream')).toBe(-Infinity);
    await advanceWatermark(queries, 'stream', 3, 5);
    await advanceWatermark(queries, 'stream', 3, 4);
    expect(await readWatermark(queries, 'stream')).toBe(5);
  });

  it('forgets what is older than the retention, and says whether more may be left', async () => {
    const events = [
      served({ predictionId: 'p1', joinKey: 'k1', asOfMicros: 100 }),
      served({ predictionId: 'p2', joinKey: 'k2', asOfMicros: 900 }),
    ];
    await insertPredictions(queries, events);
    await saveLabels(queries, [label(), label({ key: 'k2', eventTimeMicros: 950 })]);
    await joinPredictions(queries, dataOf(events), [judged]);
    expect(await prune(queries, judged, 500, 1)).toBe(true);
    expect(await prune(queries, judged, 500, 1)).toBe(false);
    const [left] = await queries.query(
      `SELECT (SELECT count(*)::int FROM predictions) AS predictions, (SELECT count(*)::int FROM labels) AS labels,
          (SELECT count(*)::int FROM outcomes) AS outcomes, (SELECT count(*)::int FROM prediction_batches) AS batches`,
    );
    expect(left).toEqual({ predictions: 1, labels: 1, outcomes: 1, batches: 1 });
    expect(await prune(queries, judged, 1_000, 9)).toBe(false);
    expect(await queries.query('SELECT 1 FROM prediction_batches')).toEqual([]);
  });

  it('forgets rollouts that ended long ago, with what was said about them, and keeps those in progress', async () => {
    const report = (rolloutId: string, reportedMicros: number) =>
      addScores(
        queries,
        {
          endpoint: 'e',
          rolloutId,
          generation: 1,
          gateway: 'g',
          versions: [{ version: 2, asked: 5, failed: 1, lastError: '' }],
        },
        reportedMicros,
      );
    const ofRollout = { rolledBack: false, inconclusiveStep: 0 };
    await queries.query(
      `INSERT INTO deployments (endpoint, generation, model, rollout, event_id, correlation_id)
       VALUES ('e', 1, 'm', '{"rolloutId": "running"}', 'd', 'd'), ('calm', 1, 'm', NULL, 'd', 'd')`,
    );
    for (const [rolloutId, at] of [
      ['running', 10],
      ['ended', 10],
      ['lately', 1_000],
    ] as const) {
      await report(rolloutId, at);
      await saveCheck(queries, rolloutId, ofRollout);
    }
    await saveCheck(queries, 'never-reported', ofRollout);
    await forgetRollouts(queries, 500);
    const kept = async (table: string) =>
      (await queries.query<{ id: string }>(`SELECT rollout_id AS id FROM ${table} ORDER BY 1`)).map((row) => row.id);
    expect(await kept('rollout_scores')).toEqual(['lately', 'running']);
    expect(await kept('rollout_checks')).toEqual(['lately', 'running']);
  });
});
