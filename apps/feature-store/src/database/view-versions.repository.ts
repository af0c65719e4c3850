import type { Queries } from '@headrace/service-kit';

/** One content of a feature view whose records are kept. */
export interface ViewVersion {
  readonly id: number;
  readonly name: string;
  readonly version: string;
  readonly stream: string;
  readonly generation: number;
  readonly document: string;
}

export interface VersionToFill extends ViewVersion {
  /** Offsets below which records are missing, by partition. */
  readonly backfillTo: Readonly<Record<string, number>>;
}

const COLUMNS = 'id, name, version, stream, generation::float8 AS generation, document';

/** Several instances and the handlers of the stream's partitions meet here: see `registerVersion`. */
async function lockStream(queries: Queries, stream: string, mode: 'shared' | 'exclusive'): Promise<void> {
  const lock = mode === 'shared' ? 'pg_advisory_xact_lock_shared' : 'pg_advisory_xact_lock';
  await queries.query(`SELECT ${lock}(hashtextextended(current_schema() || '.views.' || $1, 0))`, [stream]);
}

/**
 * Ids of the versions whose records of this stream are kept. None is registered or replaced before the transaction has
 * ended.
 */
export async function versionsOfStream(queries: Queries, stream: string): Promise<number[]> {
  await lockStream(queries, stream, 'shared');
  const rows = await queries.query<{ id: number }>(
    'SELECT id FROM view_versions WHERE stream = $1 AND NOT replaced ORDER BY id',
    [stream],
  );
  return rows.map(({ id }) => id);
}

/** What the versions are; it never changes. */
export function readVersions(queries: Queries, ids: readonly number[]): Promise<ViewVersion[]> {
  return queries.query<ViewVersion>(`SELECT ${COLUMNS} FROM view_versions WHERE id = ANY($1::int[])`, [ids]);
}

/**
 * Registers a version of a view. Handlers that begin afterwards keep its records; what lies before their positions is
 * filled in from the log. Handlers hold the stream's lock in shared mode, so the positions read here are the boundary.
 */
export async function registerVersion(
  queries: Queries,
  group: string,
  topic: string,
  view: Omit<ViewVersion, 'id'>,
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
    `INSERT INTO view_versions (name, version, stream, generation, document, backfill_to) VALUES ($1, $2, $3, $4, $5, $6)
     ON CONFLICT (name, version) WHERE NOT replaced
     DO UPDATE SET generation = greatest(view_versions.generation, excluded.generation)`,
    [
      view.name,
      view.version,
      view.stream,
      view.generation,
      view.document,
      backfillTo === null ? null : JSON.stringify(backfillTo),
    ],
  );
}

/** Versions that wait for their records from before they were known. */
export function versionsToFill(queries: Queries): Promise<VersionToFill[]> {
  return queries.query<VersionToFill>(
    `SELECT ${COLUMNS}, backfill_to AS "backfillTo" FROM view_versions
      WHERE backfill_to IS NOT NULL AND NOT replaced ORDER BY id`,
  );
}

export async function markFilled(queries: Queries, id: number): Promise<void> {
  await queries.query('UPDATE view_versions SET backfill_to = NULL WHERE id = $1', [id]);
}

/** Versions of which a newer one is filled: nothing of their stream is under way while they are marked. */
export async function markReplaced(queries: Queries): Promise<void> {
  const replaced = await queries.query<{ id: number; stream: string }>(
    `SELECT old.id, old.stream FROM view_versions old
      WHERE NOT old.replaced AND EXISTS (
        SELECT 1 FROM view_versions newer
         WHERE newer.name = old.name AND newer.generation > old.generation AND newer.backfill_to IS NULL
           AND NOT newer.replaced)
      ORDER BY old.stream`,
  );
  for (const { id, stream } of replaced) {
    await lockStream(queries, stream, 'exclusive');
    await queries.query('UPDATE view_versions SET replaced = true WHERE id = $1', [id]);
  }
}

export async function replacedVersions(queries: Queries): Promise<number[]> {
  const rows = await queries.query<{ id: number }>('SELECT id FROM view_versions WHERE replaced');
  return rows.map(({ id }) => id);
}

/** When none of its records is left. */
export async function deleteVersion(queries: Queries, id: number): Promise<void> {
  await queries.query('DELETE FROM view_versions WHERE id = $1 AND replaced', [id]);
}

/** Ids of the versions to read: the newest filled one of each view. */
export async function servingVersions(queries: Queries): Promise<number[]> {
  const rows = await queries.query<{ id: number }>(
    `SELECT DISTINCT ON (name) id FROM view_versions WHERE backfill_to IS NULL AND NOT replaced
      ORDER BY name, generation DESC`,
  );
  return rows.map(({ id }) => id);
}
