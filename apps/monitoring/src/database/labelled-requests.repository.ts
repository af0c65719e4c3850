// Past requests with their labels and the features that were served: what another version can be asked about.
import { float8sOf } from './float8s';
import type { Judged } from './outcomes.repository';
import type { Queries } from './sql';

/** Requests of an endpoint with as-of time in [from, to). */
export interface RequestRange {
  readonly judged: Judged;
  readonly fromMicros: number;
  readonly toMicros: number;
}

export interface LabelledRequest {
  readonly predictionId: string;
  readonly asOfMicros: number;
  readonly label: number;
  readonly labelEventTimeMicros: number;
  /** What was answered. */
  readonly output: number;
  readonly layout: string;
  readonly features: Float64Array;
  readonly partition: number;
  readonly offset: number;
}

const IN_RANGE = 'o.source = $1 AND o.endpoint = $2 AND o.as_of >= $3 AND o.as_of < $4';

function parametersOf({ judged, fromMicros, toMicros }: RequestRange): unknown[] {
  return [judged.source, judged.endpoint, fromMicros, toMicros];
}

export async function countLabelled(
  queries: Queries,
  range: RequestRange,
): Promise<{ readonly rows: number; readonly newestMicros: number }> {
  const [row] = await queries.query<{ rows: number; newest: number | null }>(
    `SELECT count(*)::float8 AS rows, max(o.as_of)::float8 AS newest FROM outcomes o WHERE ${IN_RANGE}`,
    parametersOf(range),
  );
  return { rows: row?.rows ?? 0, newestMicros: row?.newest ?? 0 };
}

/** By rising (as-of time, id), behind `after`. */
export async function readLabelled(
  queries: Queries,
  range: RequestRange,
  after: { readonly asOfMicros: number; readonly predictionId: string },
  limit: number,
): Promise<LabelledRequest[]> {
  const rows = await queries.query<Omit<LabelledRequest, 'features'> & { readonly features: Buffer }>(
    `SELECT o.prediction_id AS "predictionId", o.as_of::float8 AS "asOfMicros", o.label,
        o.label_event_time::float8 AS "labelEventTimeMicros", o.output, p.layout, p.features,
        p.log_partition AS partition, p.log_offset::float8 AS "offset"
       FROM outcomes o JOIN served_predictions p ON p.prediction_id = o.prediction_id
      WHERE ${IN_RANGE} AND (o.as_of, o.prediction_id) > ($5, $6)
      ORDER BY o.as_of, o.prediction_id LIMIT $7`,
    [...parametersOf(range), after.asOfMicros, after.predictionId, limit],
  );
  return rows.map((row) => ({ ...row, features: float8sOf(row.features) }));
}

export async function layoutNames(queries: Queries, layout: string): Promise<readonly string[]> {
  const [row] = await queries.query<{ names: string[] }>('SELECT names FROM feature_layouts WHERE layout = $1', [
    layout,
  ]);
  return row?.names ?? [];
}
