// Replays that gates wait for: kept until they are answered.
import { encodeMessage } from '@headrace/contracts';
import { ReplayRequested } from '@headrace/contracts/proto/registry/v1/registry_events';
import type { Cause, ReceivedEvent } from '@headrace/messaging';
import type { Queries } from './sql';

export interface TakenRequest {
  readonly request: ReplayRequested;
  readonly cause: Cause;
  /** How often it was looked at, with this time. */
  readonly tries: number;
}

export async function saveReplayRequest(queries: Queries, event: ReceivedEvent<ReplayRequested>): Promise<void> {
  const { data, eventId, correlationId, traceparent } = event;
  const cause: Cause = { eventId, correlationId, ...(traceparent === undefined ? {} : { traceparent }) };
  await queries.query(
    `INSERT INTO replay_requests (model, version, gate, cause, request) VALUES ($1, $2, $3, $4, $5)
     ON CONFLICT DO NOTHING`,
    [data.model, data.version, data.gate, JSON.stringify(cause), encodeMessage(ReplayRequested, data)],
  );
}

/** How many wait, by model. */
export function countReplayRequests(queries: Queries): Promise<{ readonly model: string; readonly waiting: number }[]> {
  return queries.query<{ model: string; waiting: number }>(
    'SELECT model, count(*)::int AS waiting FROM replay_requests GROUP BY model',
  );
}

/** One that is due; no other instance gets it within the lease. */
export async function takeReplayRequest(queries: Queries, leaseSeconds: number): Promise<TakenRequest | undefined> {
  const [row] = await queries.query<{ request: Buffer; cause: Cause; tries: number }>(
    `WITH due AS (
       SELECT model, version, gate FROM replay_requests WHERE next_try <= now()
        ORDER BY next_try LIMIT 1 FOR UPDATE SKIP LOCKED
     ), taken AS (
       UPDATE replay_requests r SET tries = r.tries + 1, next_try = now() + make_interval(secs => $1)
         FROM due WHERE r.model = due.model AND r.version = due.version AND r.gate = due.gate
       RETURNING r.request, r.cause, r.tries
     ) SELECT request, cause, tries FROM taken`,
    [leaseSeconds],
  );
  return row && { request: ReplayRequested.decode(row.request), cause: row.cause, tries: row.tries };
}

export async function tryLater(queries: Queries, of: ReplayRequested, seconds: number): Promise<void> {
  await queries.query(
    `UPDATE replay_requests SET next_try = now() + make_interval(secs => $4)
      WHERE model = $1 AND version = $2 AND gate = $3`,
    [of.model, of.version, of.gate, seconds],
  );
}

/** False: another instance answered it. */
export async function removeReplayRequest(queries: Queries, of: ReplayRequested): Promise<boolean> {
  const rows = await queries.query<{ gate: string }>(
    `WITH gone AS (DELETE FROM replay_requests WHERE model = $1 AND version = $2 AND gate = $3 RETURNING gate)
     SELECT gate FROM gone`,
    [of.model, of.version, of.gate],
  );
  return rows.length > 0;
}
