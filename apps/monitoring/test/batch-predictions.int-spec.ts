// What the tables held of predictions before features lay together is still there afterwards.
import { BatchPredictions1766000000000 } from '../src/database/migrations/1766000000000-batch-predictions';
import { findPredictionRef, insertPredictions } from '../src/database/predictions.repository';
import { lastScored } from '../src/database/scored-predictions.repository';
import { openTablesBefore } from './open-database';
import { served } from './running-monitoring';
import { scoredRows } from './windows';

const ROWS = 1_203;

describe('putting the features of predictions together', () => {
  it('keeps every prediction, its scores and features, and its place on the log', async () => {
    const before = await openTablesBefore('batches', BatchPredictions1766000000000);
    await before.queries.query(`INSERT INTO feature_layouts VALUES ('two', '{a,b}'), ('none', '{}')`);
    await before.queries.query(
      `INSERT INTO predictions
       SELECT 'p' || n, 'e', 'm', CASE WHEN n % 3 = 0 THEN 2 ELSE 1 END, 'champion', 'k' || n, n,
          CASE WHEN n % 5 = 0 THEN 'none' ELSE 'two' END,
          CASE WHEN n % 5 = 0 THEN '{}' ELSE ARRAY[n::float8, 'NaN'] END, n / 2.0,
          CASE WHEN n % 2 = 0 THEN '{7,1}' ELSE '{}' END::bigint[], CASE WHEN n % 2 = 0 THEN ARRAY[-n::float8, n] ELSE '{}' END,
          '', n % 11 = 0, n % 4, n, 1000 + n, 'deployment', 'loop' || n, CASE WHEN n % 2 = 0 THEN 'trace' || n END
         FROM generate_series(1, $1::int) AS n`,
      [ROWS],
    );
    const after = await before.migrate();
    const { queries } = after;
    const [counts] = await queries.query<{ rows: number; largest: number }>(
      `SELECT sum(rows)::int AS rows, max(rows)::int AS largest FROM (
         SELECT count(*) AS rows FROM served_predictions s JOIN predictions p USING (prediction_id) GROUP BY batch) AS each`,
    );
    expect(counts?.rows).toBe(ROWS);
    expect(counts?.largest).toBeLessThanOrEqual(500);
    // As the answer (not fallback, not by version 2), or beside it.
    const expected = Array.from({ length: 300 }, (_, index) => index + 1).filter(
      (n) => n % 11 !== 0 && (n % 3 !== 0 || n % 2 === 0),
    );
    const scored = await scoredRows(queries, 'e', 1, 1, 301);
    const scoreOf = (n: number): number => (n % 3 === 0 ? n : n / 2);
    const sorted = (values: readonly number[]): number[] => [...values].sort((a, b) => a - b);
    expect(sorted(scored.map(({ score }) => score))).toEqual(sorted(expected.map(scoreOf)));
    const withFeatures = scored.filter(({ names }) => names.length === 2);
    expect(sorted(withFeatures.map(({ features }) => features[0] ?? -1))).toEqual(expected.filter((n) => n % 5 !== 0));
    for (const { features } of withFeatures) expect(features[1]).toBeNaN();
    expect(await lastScored(queries, { endpoint: 'e', version: 1, fromMicros: 1, toMicros: 301 })).toBe(
      `p${expected.at(-1)}`,
    );
    expect(await findPredictionRef(queries, 'p8')).toMatchObject({
      ref: { partition: 0, offset: 8, timeMicros: 1_008, causationId: 'deployment' },
      cause: { correlationId: 'loop8', traceparent: 'trace8' },
    });
    expect(await insertPredictions(queries, [served({ predictionId: 'p8' })])).toEqual([]);
    await after.close();
  }, 60_000);
});
