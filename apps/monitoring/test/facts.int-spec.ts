// What the tables keep of predictions and labels, statement by statement.
import { saveLabels, type LabelRow } from '../src/database/labels.repository';
import { joinLabels, joinPredictions, readLabelsOf, readPairs } from '../src/database/outcomes.repository';
import {
  findPredictionRef,
  insertPredictions,
  readScoredPredictions,
  type ServedEvent,
} from '../src/database/predictions.repository';
import { advanceWatermark, prune, readWatermark } from '../src/database/progress.repository';
import { addScores, forgetRollouts, saveCheck } from '../src/database/rollout-scores.repository';
import type { Queries } from '../src/database/sql';
import { openTables, type OpenDatabase } from './open-database';
import { served } from './running-monitoring';

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
    const event = served({ predictionId: 'p1', featureNames: ['a', 'b'], featureValues: [1.5, Number.NaN] });
    const without = served({ predictionId: 'p2', asOfMicros: 101 });
    expect(await insertPredictions(queries, [event, event, without])).toEqual(new Set(['p1', 'p2']));
    expect(await insertPredictions(queries, [event])).toEqual(new Set());
    expect(await readScoredPredictions(queries, 'e', 1, 0, 1_000)).toEqual([
      { predictionId: 'p1', names: ['a', 'b'], features: Float64Array.of(1.5, Number.NaN), score: 0.25 },
      { predictionId: 'p2', names: [], features: new Float64Array(0), score: 0.25 },
    ]);
    expect((await findPredictionRef(queries, 'p1'))?.ref).toMatchObject({ id: 'p1', partition: 2, offset: 7 });
  });

  it('counts a retry once, also when another gateway answered it by another version', async () => {
    const first = served({ predictionId: 'p1', version: 1, output: 0.25 });
    const retry = {
      ...served({ predictionId: 'p1', version: 2, output: 0.75 }),
      producer: { shard: 'other', sequence: 9 },
    };
    expect(await insertPredictions(queries, [first])).toEqual(new Set(['p1']));
    expect(await insertPredictions(queries, [retry])).toEqual(new Set());
    expect(await readScoredPredictions(queries, 'e', 1, 0, 1_000)).toMatchObject([{ predictionId: 'p1', score: 0.25 }]);
    expect(await readScoredPredictions(queries, 'e', 2, 0, 1_000)).toEqual([]);
  });

  it('counts what a version scored beside the answer, and no fallback', async () => {
    await insertPredictions(queries, [
      served({ predictionId: 'p1', version: 2, output: 0.9, shadowScores: [{ version: 1, output: 0.4 }] }),
      served({ predictionId: 'p2', version: 2 }),
      served({ predictionId: 'p3', version: 1, fallback: true }),
    ]);
    const scored = await readScoredPredictions(queries, 'e', 1, 0, 1_000);
    expect(scored.map(({ predictionId, score }) => [predictionId, score])).toEqual([['p1', 0.4]]);
  });

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
          (SELECT count(*)::int FROM outcomes) AS outcomes`,
    );
    expect(left).toEqual({ predictions: 1, labels: 1, outcomes: 1 });
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
