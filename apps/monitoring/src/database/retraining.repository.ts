// Requests for retraining, and what became of them: read from the events of training and registry, in any order.
import type { Queries } from './sql';

export interface RetrainingRequest {
  readonly eventId: string;
  readonly monitor: string;
  readonly model: string;
  readonly plan: string;
  readonly decidedAtMicros: number;
  /** The event that it answers. */
  readonly signalEventId: string;
}

export async function saveRequest(queries: Queries, request: RetrainingRequest): Promise<void> {
  await queries.query(
    `INSERT INTO retraining_requests (event_id, monitor, model, plan, decided_at, signal_event_id)
     VALUES ($1, $2, $3, $4, $5, $6)`,
    [request.eventId, request.monitor, request.model, request.plan, request.decidedAtMicros, request.signalEventId],
  );
}

export interface RequestHistory {
  readonly lastEventMicros: number | undefined;
  readonly withinDay: number;
}

export async function readRequestHistory(queries: Queries, monitor: string): Promise<RequestHistory> {
  const [row] = await queries.query<{ last: number | null; within_day: number }>(
    `SELECT max(decided_at)::float8 AS last,
        count(*) FILTER (WHERE requested_at > clock_timestamp() - interval '24 hours')::int AS within_day
       FROM retraining_requests WHERE monitor = $1`,
    [monitor],
  );
  return { lastEventMicros: row?.last ?? undefined, withinDay: row?.within_day ?? 0 };
}

/**
 * Whether a request of the model is without a result: its run neither failed nor is there a verdict on its version or a
 * later one. A request that no run answered within the time given counts as refused.
 */
export async function isRequestOpen(queries: Queries, model: string, unansweredMs: number): Promise<boolean> {
  const [row] = await queries.query<{ open: boolean }>(
    `SELECT EXISTS (
       SELECT FROM retraining_requests r LEFT JOIN training_runs t ON t.request_id = r.event_id
        WHERE r.model = $1
          AND (t.run_id IS NOT NULL OR r.requested_at > clock_timestamp() - make_interval(secs => $2))
          AND NOT coalesce(t.failed, false)
          AND NOT EXISTS (SELECT FROM version_verdicts v WHERE v.model = r.model AND v.version >= t.version)
     ) AS open`,
    [model, unansweredMs / 1_000],
  );
  return row?.open ?? false;
}

/** `requestedMicros`: wall clock. */
export async function saveRunRequest(
  queries: Queries,
  runId: string,
  causationId: string,
  requestedMicros: number,
): Promise<void> {
  await queries.query(
    `INSERT INTO training_runs (run_id, request_id, requested_at) VALUES ($1, $2, $3)
     ON CONFLICT (run_id) DO UPDATE SET request_id = excluded.request_id, requested_at = excluded.requested_at`,
    [runId, causationId, requestedMicros],
  );
}

export async function saveRunFailure(queries: Queries, runId: string): Promise<void> {
  await queries.query(
    `INSERT INTO training_runs (run_id, failed) VALUES ($1, true) ON CONFLICT (run_id) DO UPDATE SET failed = true`,
    [runId],
  );
}

/** `registeredMicros`: wall clock. */
export async function saveRunVersion(
  queries: Queries,
  run: { readonly runId: string; readonly model: string; readonly version: number },
  registeredMicros: number,
): Promise<void> {
  await queries.query(
    `INSERT INTO training_runs (run_id, model, version, registered_at) VALUES ($1, $2, $3, $4)
     ON CONFLICT (run_id) DO UPDATE
        SET model = excluded.model, version = excluded.version, registered_at = excluded.registered_at`,
    [run.runId, run.model, run.version, registeredMicros],
  );
}

export async function saveVerdict(queries: Queries, model: string, version: number, verdict: string): Promise<void> {
  await queries.query(
    `INSERT INTO version_verdicts (model, version, verdict) VALUES ($1, $2, $3)
     ON CONFLICT (model, version) DO UPDATE SET verdict = excluded.verdict`,
    [model, version, verdict],
  );
}
