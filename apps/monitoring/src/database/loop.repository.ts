// How fast the loop of a model turns, from when its steps were taken.
import type { Queries } from './sql';

export interface VersionChange {
  readonly eventId: string;
  readonly model: string;
  readonly version: number;
  readonly endpoint: string;
  readonly change: string;
  readonly changedMicros: number;
}

export async function saveVersionChange(queries: Queries, change: VersionChange): Promise<void> {
  await queries.query(
    `INSERT INTO version_changes (event_id, model, version, endpoint, change, changed_at)
     VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT (event_id) DO NOTHING`,
    [change.eventId, change.model, change.version, change.endpoint, change.change, change.changedMicros],
  );
}

/** Times of one loop; null where it has not got so far, or it was not kept. */
export interface LoopTimes {
  /** Event time from the first window that crossed to the end of the one that decided. */
  readonly detectionMicros: number | null;
  /** Wall clock. */
  readonly detected: number;
  readonly registered: number | null;
  readonly promoted: number | null;
}

const BECAME_CHAMPION = `('deployed', 'promoted')`;

/** The loops of a model that retraining was asked for, newest first. */
export function readLoops(queries: Queries, model: string, limit: number): Promise<LoopTimes[]> {
  return queries.query<LoopTimes>(
    `SELECT (d.decided - d.began)::float8 AS "detectionMicros", d.decided_at::float8 AS detected,
        t.registered_at::float8 AS registered,
        (SELECT min(c.changed_at)::float8 FROM version_changes c
          WHERE c.model = r.model AND c.version = t.version AND c.change IN ${BECAME_CHAMPION}) AS promoted
       FROM retraining_requests r JOIN decisions d ON d.event_id = r.signal_event_id
       LEFT JOIN training_runs t ON t.request_id = r.event_id
      WHERE r.model = $1 ORDER BY r.requested_at DESC LIMIT $2`,
    [model, limit],
  );
}

export interface Changes {
  readonly deployments: number;
  readonly failures: number;
  /** Wall clock of the first change of the model that is known; null without any. */
  readonly since: number | null;
}

/** What became of rollouts since a moment of the wall clock. */
export async function readChanges(queries: Queries, model: string, sinceMicros: number): Promise<Changes> {
  const [row] = await queries.query<Changes>(
    `SELECT count(*) FILTER (WHERE change IN ${BECAME_CHAMPION} AND changed_at >= $2)::int AS deployments,
        count(*) FILTER (WHERE change NOT IN ${BECAME_CHAMPION} AND changed_at >= $2)::int AS failures,
        min(changed_at)::float8 AS since
       FROM version_changes WHERE model = $1`,
    [model, sinceMicros],
  );
  return row ?? { deployments: 0, failures: 0, since: null };
}

/** From the request of a training until its version became champion, of the last version that did; microseconds. */
export async function readLeadTime(queries: Queries, model: string): Promise<number | undefined> {
  const [row] = await queries.query<{ lead: number }>(
    `SELECT (c.changed_at - t.requested_at)::float8 AS lead
       FROM version_changes c JOIN training_runs t ON t.model = c.model AND t.version = c.version
      WHERE c.model = $1 AND c.change IN ${BECAME_CHAMPION} AND t.requested_at IS NOT NULL
      ORDER BY c.changed_at DESC LIMIT 1`,
    [model],
  );
  return row?.lead;
}
