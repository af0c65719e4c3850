import type { Queries } from './sql';

/**
 * Enters identities of acceptable records; returns those that were not there. Two partitions may bring one at the same time:
 * the later transaction waits for the earlier. Sorted, so that they cannot wait for each other.
 */
export async function enterEvents(queries: Queries, stream: string, ids: readonly string[]): Promise<Set<string>> {
  if (ids.length === 0) return new Set();
  const rows = await queries.query<{ event_id: string }>(
    `INSERT INTO seen_events (stream, event_id)
     SELECT $1, id FROM (SELECT DISTINCT id COLLATE "C" AS id FROM unnest($2::text[]) AS id) AS ids ORDER BY id
     ON CONFLICT DO NOTHING RETURNING event_id`,
    [stream, ids],
  );
  return new Set(rows.map((row) => row.event_id));
}

/** Forgets at most `limit` identities of records that were accepted before; true when there may be more. */
export async function forgetEvents(queries: Queries, beforeMicros: number, limit: number): Promise<boolean> {
  const [row] = await queries.query<{ gone: number }>(
    `WITH gone AS (
       DELETE FROM seen_events WHERE ctid = ANY(ARRAY(
         SELECT ctid FROM seen_events WHERE seen_at < to_timestamp($1::float8 / 1e6) LIMIT $2))
       RETURNING 1)
     SELECT count(*)::int AS gone FROM gone`,
    [beforeMicros, limit],
  );
  return (row?.gone ?? 0) >= limit;
}
