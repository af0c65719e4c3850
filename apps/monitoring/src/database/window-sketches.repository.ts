// Sketches of closed drift windows, kept while a window that is compared with them may be judged.
import type { Window } from '@headrace/event-time';
import { byteaArray, float8Array, int4Array, textArray } from '@headrace/messaging';
import { weeksBefore, type LiveRules } from '../domain/live-reference';
import type { KeptSketch, WindowSketch } from '../domain/window-sketch';
import { float8Bytes, float8sOf } from './float8s';
import type { Queries } from './sql';

/** Every window has a sketch of it: what belongs to the window is read off that one. */
const OF_EVERY_WINDOW = 'prediction';

export interface SketchedVersion {
  readonly monitor: string;
  readonly version: number;
}

/** Also again, when the window was judged again. */
export async function saveSketches(
  queries: Queries,
  { monitor, version }: SketchedVersion,
  { startMicros, endMicros }: Window,
  rows: number,
  sketches: readonly WindowSketch[],
): Promise<void> {
  await queries.query(
    `INSERT INTO window_sketches (monitor, version, start_time, end_time, row_count, subject, value_count, mean, squares, sample)
     SELECT $1, $2, $3, $4, $5, subject, value_count, mean, squares, sample
       FROM unnest($6::text[], $7::int[], $8::double precision[], $9::double precision[], $10::bytea[])
         AS kept (subject, value_count, mean, squares, sample)
     ON CONFLICT (monitor, version, subject, start_time) DO UPDATE
        SET end_time = excluded.end_time, row_count = excluded.row_count, value_count = excluded.value_count,
            mean = excluded.mean, squares = excluded.squares, sample = excluded.sample`,
    [
      monitor,
      version,
      startMicros,
      endMicros,
      rows,
      textArray(sketches.map((sketch) => sketch.subject)),
      int4Array(sketches.map((sketch) => sketch.count)),
      float8Array(sketches.map((sketch) => sketch.mean)),
      float8Array(sketches.map((sketch) => sketch.squares)),
      byteaArray(sketches.map((sketch) => float8Bytes(Float64Array.from(sketch.sample)))),
    ],
  );
}

/** Rows of the window when it was sketched; undefined: it never was. */
export async function sketchedRows(
  queries: Queries,
  { monitor, version }: SketchedVersion,
  startMicros: number,
): Promise<number | undefined> {
  const [row] = await queries.query<{ rows: number }>(
    `SELECT row_count AS rows FROM window_sketches
      WHERE monitor = $1 AND version = $2 AND subject = $3 AND start_time = $4`,
    [monitor, version, OF_EVERY_WINDOW, startMicros],
  );
  return row?.rows;
}

export interface SketchedWindow {
  readonly startMicros: number;
  readonly endMicros: number;
  readonly rows: number;
}

/** Which closed windows may be part of a reference: of this length, or whatever theirs are. */
export interface Comparable {
  readonly minimumSample: number;
  readonly lengthMicros: number | undefined;
}

/** The windows that a window is compared with, the oldest first; none below the minimum sample. */
export async function findReference(
  queries: Queries,
  { monitor, version }: SketchedVersion,
  rules: LiveRules,
  { minimumSample, lengthMicros }: Comparable,
  window: Pick<Window, 'startMicros'>,
): Promise<SketchedWindow[]> {
  const [which, parameter, limit] =
    rules.kind === 'moving'
      ? ['start_time < $6', window.startMicros, rules.windows]
      : ['start_time = ANY($6::bigint[])', weeksBefore(window, rules.weeks), rules.weeks];
  const rows = await queries.query<SketchedWindow>(
    `SELECT start_time::float8 AS "startMicros", end_time::float8 AS "endMicros", row_count AS rows FROM window_sketches
      WHERE monitor = $1 AND version = $2 AND subject = $3 AND row_count >= $4
        AND ($5::bigint IS NULL OR end_time - start_time = $5) AND ${which}
      ORDER BY start_time DESC LIMIT $7`,
    [monitor, version, OF_EVERY_WINDOW, minimumSample, lengthMicros ?? null, parameter, limit],
  );
  return rows.reverse();
}

/** The sketches of these subjects in these windows, by subject, the oldest window first. */
export async function readSketches(
  queries: Queries,
  { monitor, version }: SketchedVersion,
  subjects: readonly string[],
  starts: readonly number[],
): Promise<ReadonlyMap<string, KeptSketch[]>> {
  const rows = await queries.query<Omit<KeptSketch, 'sample'> & { readonly sample: Buffer }>(
    `SELECT subject, start_time::float8 AS "startMicros", row_count AS rows, value_count AS count, mean, squares, sample
       FROM window_sketches
      WHERE monitor = $1 AND version = $2 AND subject = ANY($3::text[]) AND start_time = ANY($4::bigint[])
      ORDER BY start_time`,
    [monitor, version, subjects, starts],
  );
  const found = new Map<string, KeptSketch[]>(subjects.map((subject) => [subject, []]));
  for (const row of rows) found.get(row.subject)?.push({ ...row, sample: float8sOf(row.sample) });
  return found;
}

/**
 * Marks the closed windows that this one is, or now could be, a part of the reference of: they are to be judged again, so that
 * verdicts follow from the facts and not from the order in which they came.
 */
export async function markFollowersStale(
  queries: Queries,
  { monitor, version }: SketchedVersion,
  rules: LiveRules,
  minimumSample: number,
  window: Window,
): Promise<void> {
  const update = `UPDATE windows SET stale = true WHERE monitor = $1 AND version = $2 AND kind = 'drift'`;
  if (rules.kind === 'same-weekday') {
    const followers = weeksBefore(window, rules.weeks).map((start) => 2 * window.startMicros - start);
    await queries.query(`${update} AND start_time = ANY($3::bigint[])`, [monitor, version, followers]);
    return;
  }
  // Up to and with the window that has N others with the minimum sample between this one and its own end.
  await queries.query(
    `${update} AND start_time > $3 AND start_time <= coalesce((
        SELECT start_time FROM window_sketches
         WHERE monitor = $1 AND version = $2 AND subject = $4 AND row_count >= $5 AND start_time > $3
         ORDER BY start_time OFFSET $6 LIMIT 1), ${Number.MAX_SAFE_INTEGER})`,
    [monitor, version, window.startMicros, OF_EVERY_WINDOW, minimumSample, rules.windows - 1],
  );
}

/** Forgets the sketches of windows before a moment: those of the version only before another one, which its references reach. */
export async function pruneSketches(
  queries: Queries,
  { monitor, version }: SketchedVersion,
  beforeMicros: number,
  neededFromMicros: number,
): Promise<void> {
  await queries.query(
    `DELETE FROM window_sketches
      WHERE monitor = $1 AND start_time < $3 AND (version <> $2 OR start_time < $4)`,
    [monitor, version, beforeMicros, neededFromMicros],
  );
}
