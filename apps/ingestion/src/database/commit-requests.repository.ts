import type { Queries } from './sql';

export async function requestCommit(queries: Queries, eventId: string): Promise<void> {
  await queries.query('INSERT INTO commit_requests (event_id) VALUES ($1) ON CONFLICT DO NOTHING', [eventId]);
}

/** Ids of the requests that stand. */
export async function readCommitRequests(queries: Queries): Promise<string[]> {
  const rows = await queries.query<{ id: string }>('SELECT id FROM commit_requests ORDER BY id');
  return rows.map((row) => row.id);
}

export async function removeCommitRequests(queries: Queries, ids: readonly string[]): Promise<void> {
  await queries.query('DELETE FROM commit_requests WHERE id = ANY($1::bigint[])', [ids]);
}
