// Requests for retraining, and what became of them: read from the events of training and registry, in any order.
import { microsOrNull, type Queries } from './sql';

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
  /** Since a person acted on the model. */
  readonly withoutPerson: number;
}

export async function readRequestHistory(queries: Queries, monitor: string, model: string): Promise<RequestHistory> {
  const [row] = await queries.query<{ last: number | null; within_day: number; without_person: number }>(
    `SELECT max(decided_at)::float8 AS last,
        count(*) FILTER (WHERE requested_at > clock_timestamp() - interval '24 hours')::int AS within_day,
        count(*) FILTER (WHERE extract(epoch FROM requested_at) * 1e6 >
          coalesce((SELECT acted_at FROM person_actions WHERE model = $2), 0))::int AS without_person
       FROM retraining_requests WHERE monitor = $1`,
    [monitor, model],
  );
  return {
    lastEventMicros: row?.last ?? undefined,
    withinDay: row?.within_day ?? 0,
    withoutPerson: row?.without_person ?? 0,
  };
}

/** What a person, or a program with a person's token, did about a model. */
export interface PersonAction {
  readonly eventId: string;
  readonly model: string;
  /** trained, or the change of an endpoint. */
  readonly action: string;
  readonly actor: string;
  /** Wall clock. */
  readonly actedMicros: number;
  /** The training that was asked for; undefined: another action. */
  readonly runId: string | undefined;
}

/** Keeps the last one of each model, in whatever order and however often they are heard. */
export async function savePersonAction(queries: Queries, action: PersonAction): Promise<void> {
  await queries.query(
    `INSERT INTO person_actions AS known (model, event_id, action, actor, acted_at, run_id)
     VALUES ($1, $2, $3, $4, $5, $6)
     ON CONFLICT (model) DO UPDATE
        SET event_id = excluded.event_id, action = excluded.action, actor = excluded.actor,
            acted_at = excluded.acted_at, run_id = excluded.run_id
      WHERE excluded.acted_at > known.acted_at`,
    [action.model, action.eventId, action.action, action.actor, action.actedMicros, action.runId ?? null],
  );
}

/** Why a request of a monitor is held back by its policy. */
export interface Withheld {
  readonly why: string;
  readonly signalEventId: string;
  readonly untilMicros: number | undefined;
}

/** False: it is known already. */
export async function saveWithheld(queries: Queries, monitor: string, withheld: Withheld): Promise<boolean> {
  const saved = await queries.query(
    `INSERT INTO retrainings_withheld AS known (monitor, why, signal_event_id, until) VALUES ($1, $2, $3, $4)
     ON CONFLICT (monitor) DO UPDATE
        SET why = excluded.why, signal_event_id = excluded.signal_event_id, until = excluded.until
      WHERE (known.why, known.signal_event_id, known.until)
        IS DISTINCT FROM (excluded.why, excluded.signal_event_id, excluded.until)
     RETURNING monitor`,
    [monitor, withheld.why, withheld.signalEventId, microsOrNull(withheld.untilMicros)],
  );
  return saved.length > 0;
}

export async function forgetWithheld(queries: Queries, monitor: string): Promise<void> {
  await queries.query('DELETE FROM retrainings_withheld WHERE monitor = $1', [monitor]);
}

/**
 * Whether a request of the model, or the last training that a person asked for, is without a result: its run neither failed
 * nor is there a verdict on its version or a later one. A request that no run answered within the time given counts as refused.
 */
export async function isRequestOpen(queries: Queries, model: string, unansweredMs: number): Promise<boolean> {
  const [row] = await queries.query<{ open: boolean }>(
    `SELECT EXISTS (
       SELECT FROM retraining_requests r LEFT JOIN training_runs t ON t.request_id = r.event_id
        WHERE r.model = $1
          AND (t.run_id IS NOT NULL OR r.requested_at > clock_timestamp() - make_interval(secs => $2))
          AND NOT coalesce(t.failed, false)
          AND NOT EXISTS (SELECT FROM version_verdicts v WHERE v.model = r.model AND v.version >= t.version)
     ) OR EXISTS (
       SELECT FROM person_actions p JOIN training_runs t ON t.run_id = p.run_id
        WHERE p.model = $1 AND NOT t.failed
          AND NOT EXISTS (SELECT FROM version_verdicts v WHERE v.model = p.model AND v.version >= t.version)
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
