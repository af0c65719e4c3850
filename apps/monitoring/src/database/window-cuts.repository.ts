// Where windows by count end: decided once, told on the log, and kept as a fact.
import type { ClosedBy, FirstPredictions, WindowClock } from '../domain/window-rule';
import type { Judged } from './outcomes.repository';
import type { Queries } from './sql';

export interface WindowCut {
  readonly monitor: string;
  readonly clock: WindowClock;
  readonly version: number;
  readonly startMicros: number;
  readonly endMicros: number;
  readonly closedBy: ClosedBy;
}

/** False: there is one that ends then. */
export async function saveCut(queries: Queries, cut: WindowCut): Promise<boolean> {
  const saved = await queries.query(
    `INSERT INTO window_cuts (monitor, clock, version, start_time, end_time, closed_by)
     VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT DO NOTHING RETURNING 1`,
    [cut.monitor, cut.clock, cut.version, cut.startMicros, cut.endMicros, cut.closedBy],
  );
  return saved.length > 0;
}

/** The first that ends behind a moment: the other kind of the same clock made it, or a replay. */
export async function findCut(
  queries: Queries,
  { monitor, clock, version }: Pick<WindowCut, 'monitor' | 'clock' | 'version'>,
  afterMicros: number,
): Promise<Pick<WindowCut, 'endMicros' | 'closedBy'> | undefined> {
  const [row] = await queries.query<Pick<WindowCut, 'endMicros' | 'closedBy'>>(
    `SELECT end_time::float8 AS "endMicros", closed_by AS "closedBy" FROM window_cuts
      WHERE monitor = $1 AND clock = $2 AND version = $3 AND end_time > $4 ORDER BY end_time LIMIT 1`,
    [monitor, clock, version, afterMicros],
  );
  return row;
}

/** SQL: rows that the version (parameter) scored, as the answer or beside it. */
function scoredBy(parameter: string): string {
  return `(version = ${parameter} OR ${parameter}::bigint = ANY(shadow_versions))`;
}

/** Of the predictions that the version scored with as-of times from a moment on, at most `limit`: those of the earliest times. */
export function firstScored(
  queries: Queries,
  endpoint: string,
  version: number,
  fromMicros: number,
  limit: number,
): Promise<FirstPredictions> {
  return first(
    queries,
    `SELECT as_of AS time FROM predictions
      WHERE endpoint = $1 AND as_of >= $2 AND NOT fallback AND ${scoredBy('$3')} ORDER BY as_of LIMIT $4`,
    [endpoint, fromMicros, version, limit],
  );
}

/** The same of labelled predictions, by the event times of their labels. */
export function firstLabelled(
  queries: Queries,
  { endpoint, source }: Judged,
  version: number,
  fromMicros: number,
  limit: number,
): Promise<FirstPredictions> {
  return first(
    queries,
    `SELECT label_event_time AS time FROM outcomes
      WHERE endpoint = $1 AND label_event_time >= $2 AND ${scoredBy('$3')} AND source = $5
      ORDER BY label_event_time LIMIT $4`,
    [endpoint, fromMicros, version, limit, source],
  );
}

async function first(queries: Queries, sql: string, parameters: readonly unknown[]): Promise<FirstPredictions> {
  const [row] = await queries.query<{ rows: number; first: number | null; last: number | null }>(
    `SELECT count(*)::int AS rows, min(time)::float8 AS first, max(time)::float8 AS last FROM (${sql}) AS found`,
    parameters,
  );
  return { rows: row?.rows ?? 0, firstMicros: row?.first ?? Infinity, lastMicros: row?.last ?? -Infinity };
}
