import type { Queries } from '@headrace/service-kit';

export interface ViewVersion {
  readonly id: number;
  readonly name: string;
  readonly version: string;
  readonly stream: string;
  readonly backfillTo: Readonly<Record<string, number>> | null;
}

/** Several instances and the handlers of the stream's partitions meet here: see `registerVersion`. */
async function lockStream(queries: Queries, stream: string, mode: 'shared' | 'exclusive'): Promise<void> {
  const lock = mode === 'shared' ? 'pg_advisory_xact_lock_shared' : 'pg_advisory_xact_lock';
  await queries.query(`SELECT ${lock}(hashtextextended(current_schema() || '.views.' || $1, 0))`, [stream]);
}

/** The versions whose records of this stream are kept. None is registered before the transaction has ended. */
export async function versionsOfStream(queries: Queries, stream: string): Promise<ViewVersion[]> {
  await lockStream(queries, stream, 'shared');
  return queries.query<ViewVersion>(
    `SELECT id, name, version, stream, backfill_to AS "backfillTo" FROM view_versions WHERE stream = $1 ORDER BY id`,
    [stream],
  );
}

/**
 * Registers a version of a view. Handlers that begin afterwards keep its records; what lies before their positions is
 * filled in from the log. Handlers hold the stream's lock in shared mode, so the positions read here are the boundary.
 */
export async function registerVersion(
  queries: Queries,
  group: string,
  topic: string,
  view: { readonly name: string; readonly version: string; readonly stream: string; readonly generation: number },
): Promise<void> {
  await lockStream(queries, view.stream, 'exclusive');
  const positions = await queries.query<{ partition: number; next_offset: number }>(
    `SELECT partition, next_offset::float8 AS next_offset FROM consumer_positions
      WHERE consumer_group = $1 AND topic = $2 AND next_offset > 0`,
    [group, topic],
  );
  const backfillTo =
    positions.length === 0 ? null : Object.fromEntries(positions.map((row) => [row.partition, row.next_offset]));
  await queries.query(
    `INSERT INTO view_versions (name, version, stream, generation, backfill_to) VALUES ($1, $2, $3, $4, $5)
     ON CONFLICT (name, version) DO UPDATE SET generation = greatest(view_versions.generation, excluded.generation)`,
    [view.name, view.version, view.stream, view.generation, backfillTo === null ? null : JSON.stringify(backfillTo)],
  );
}

/** Versions that wait for their records from before they were known. */
export function versionsToFill(queries: Queries): Promise<ViewVersion[]> {
  return queries.query<ViewVersion>(
    `SELECT id, name, version, stream, backfill_to AS "backfillTo" FROM view_versions
      WHERE backfill_to IS NOT NULL ORDER BY id`,
  );
}

export async function markFilled(queries: Queries, id: number): Promise<void> {
  await queries.query('UPDATE view_versions SET backfill_to = NULL WHERE id = $1', [id]);
}

/** Contents of a view that a newer, filled one has replaced; their records go with them. */
export async function deleteReplaced(queries: Queries): Promise<void> {
  await queries.query(
    `DELETE FROM view_versions old USING view_versions newer
      WHERE newer.name = old.name AND newer.generation > old.generation AND newer.backfill_to IS NULL`,
  );
}

/** Ids of the versions that can be read, by "name version". */
export async function filledVersions(queries: Queries): Promise<Map<string, number>> {
  const rows = await queries.query<{ id: number; name: string; version: string }>(
    'SELECT id, name, version FROM view_versions WHERE backfill_to IS NULL',
  );
  return new Map(rows.map((row) => [`${row.name} ${row.version}`, row.id]));
}
