import type { Degradation, QualityWindow } from '../domain/quality';
import type { Queries } from './sql';

interface WindowRow {
  readonly start_micros: string;
  readonly end_micros: string;
  readonly accepted: string;
  readonly rejected: string;
}

const COLUMNS = 'start_micros, end_micros, accepted, rejected';

/** Adds counts to the windows (sorted by their start) and returns them as they stand. */
export async function addToWindows(
  queries: Queries,
  stream: string,
  windows: readonly QualityWindow[],
): Promise<QualityWindow[]> {
  const rows = await queries.query<WindowRow>(
    `INSERT INTO quality_windows AS known (stream, ${COLUMNS})
     SELECT $1, * FROM unnest($2::bigint[], $3::bigint[], $4::bigint[], $5::bigint[])
     ON CONFLICT (stream, start_micros, end_micros)
     DO UPDATE SET accepted = known.accepted + excluded.accepted, rejected = known.rejected + excluded.rejected
     RETURNING ${COLUMNS}`,
    [
      stream,
      windows.map((window) => window.startMicros),
      windows.map((window) => window.endMicros),
      windows.map((window) => window.accepted),
      windows.map((window) => window.rejected),
    ],
  );
  return rows.map(windowOf);
}

/** Of this length, after the given start. */
export async function windowsAfter(
  queries: Queries,
  stream: string,
  startMicros: number,
  lengthMicros: number,
): Promise<QualityWindow[]> {
  const rows = await queries.query<WindowRow>(
    `SELECT ${COLUMNS} FROM quality_windows WHERE stream = $1 AND start_micros > $2 AND end_micros - start_micros = $3
      ORDER BY start_micros LIMIT 1000`,
    [stream, startMicros, lengthMicros],
  );
  return rows.map(windowOf);
}

export async function readDegradation(queries: Queries, stream: string): Promise<Degradation> {
  const [row] = await queries.query<{ window_start_micros: string }>(
    'SELECT window_start_micros FROM quality_degradations WHERE stream = $1',
    [stream],
  );
  return row && { windowStartMicros: Number(row.window_start_micros) };
}

/** False when another partition's batch was first. */
export async function enterDegradation(queries: Queries, stream: string, windowStartMicros: number): Promise<boolean> {
  const rows = await queries.query(
    'INSERT INTO quality_degradations VALUES ($1, $2) ON CONFLICT DO NOTHING RETURNING stream',
    [stream, windowStartMicros],
  );
  return rows.length > 0;
}

/** False when another partition's batch was first. */
export async function endDegradation(queries: Queries, stream: string): Promise<boolean> {
  const rows = await queries.query('DELETE FROM quality_degradations WHERE stream = $1 RETURNING stream', [stream]);
  return rows.length > 0;
}

/**
 * Forgets windows that lie so far behind the newest of their stream; a record dated beyond the present does not make the
 * others old. What the end of a degradation is judged by stays.
 */
export async function forgetWindows(queries: Queries, keptMicros: number, nowMicros: number): Promise<void> {
  await queries.query(
    `DELETE FROM quality_windows old
      USING (SELECT stream, least(max(end_micros), $2::bigint) AS reached FROM quality_windows GROUP BY stream) newest
      WHERE old.stream = newest.stream AND old.end_micros < newest.reached - $1::bigint
        AND NOT EXISTS (SELECT 1 FROM quality_degradations d
                         WHERE d.stream = old.stream AND d.window_start_micros < old.start_micros)`,
    [keptMicros, nowMicros],
  );
}

function windowOf(row: WindowRow): QualityWindow {
  return {
    startMicros: Number(row.start_micros),
    endMicros: Number(row.end_micros),
    accepted: Number(row.accepted),
    rejected: Number(row.rejected),
  };
}
