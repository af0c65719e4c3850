// What a version scored in a window of as-of time, read from the batches of predictions.
import type { ScoredColumns } from '../domain/drift-window';
import { float8sOf } from './float8s';
import { scoreOf } from './predictions.repository';
import type { Queries } from './sql';

/** Batches that are read at a time: some thousand predictions. */
const PAGE = 16;

export interface ScoredRange {
  readonly endpoint: string;
  readonly version: number;
  /** As-of times within [from, to). */
  readonly fromMicros: number;
  readonly toMicros: number;
  /** Whether features are wanted beside the scores. */
  readonly features: boolean;
}

interface BatchRow {
  readonly batch: string;
  readonly names: string[];
  readonly versions: string[];
  readonly as_of: Buffer;
  readonly scores: Buffer;
  readonly features: Buffer;
}

/** Gives what the version scored in the range to `take`, batch by batch; some batches are in memory at a time. */
export async function readScoredPredictions(
  queries: Queries,
  range: ScoredRange,
  take: (columns: ScoredColumns) => void,
): Promise<void> {
  const { endpoint, version, fromMicros, toMicros } = range;
  for (let after = '0'; ;) {
    const page = await queries.query<BatchRow>(
      `SELECT b.batch, l.names, b.versions, b.as_of, b.scores, CASE WHEN $6 THEN b.features ELSE '' END AS features
         FROM prediction_batches b JOIN feature_layouts l ON l.layout = b.layout
        WHERE b.endpoint = $1 AND $2 = ANY(b.versions) AND b.to_as_of >= $3 AND b.from_as_of < $4 AND b.batch > $5
        ORDER BY b.batch LIMIT ${PAGE}`,
      [endpoint, version, fromMicros, toMicros, after, range.features],
    );
    for (const row of page) {
      const columns = columnsOf(row, range);
      if (columns.scores.length > 0) take(columns);
    }
    const last = page.at(-1);
    if (!last || page.length < PAGE) return;
    after = last.batch;
  }
}

/** What of a batch lies in the range: nearly always all of it. */
function columnsOf(row: BatchRow, { version, fromMicros, toMicros }: ScoredRange): ScoredColumns {
  const asOf = float8sOf(row.as_of);
  const all = float8sOf(row.scores);
  const [width, column] = [row.versions.length, row.versions.indexOf(String(version))];
  const scores = width === 1 ? all : asOf.map((_, index) => all[index * width + column] ?? Number.NaN);
  const columns = { names: row.names, asOf, scores, features: float8sOf(row.features) };
  const isIn = (time: number): boolean => time >= fromMicros && time < toMicros;
  return asOf.every(isIn) ? columns : within(columns, isIn);
}

function within({ names, asOf, scores, features }: ScoredColumns, isIn: (time: number) => boolean): ScoredColumns {
  const inside = (_: number, row: number): boolean => isIn(asOf[row] ?? 0);
  return {
    names,
    asOf: asOf.filter(isIn),
    scores: scores.filter(inside),
    features: features.filter((value, place) => inside(value, Math.floor(place / names.length))),
  };
}

/** The last of what the version scored within [from, to) of as-of time. */
export async function lastScored(
  queries: Queries,
  { endpoint, version, fromMicros, toMicros }: Omit<ScoredRange, 'features'>,
): Promise<string | undefined> {
  const [row] = await queries.query<{ id: string }>(
    `SELECT prediction_id AS id
       FROM (SELECT prediction_id, as_of, ${scoreOf('$2')} AS score
               FROM predictions WHERE endpoint = $1 AND as_of >= $3 AND as_of < $4 AND NOT fallback) AS scored
      WHERE score IS NOT NULL ORDER BY as_of DESC, prediction_id DESC LIMIT 1`,
    [endpoint, version, fromMicros, toMicros],
  );
  return row?.id;
}
