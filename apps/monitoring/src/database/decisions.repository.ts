import type { DecisionRecord } from '@headrace/contracts/proto/monitoring/v1/monitoring_service';
import { nowMicros } from '@headrace/event-time';
import type { Queries } from './sql';

export interface Decision {
  readonly eventId: string;
  /** Empty when it is about an endpoint, whatever monitors watch it. */
  readonly monitor: string;
  readonly endpoint: string;
  readonly type: string;
  /** Wall clock at which the deciding record was published upstream or by the gateway. */
  readonly recordPublishedMicros: number;
  readonly summary: string;
  /** Event time, of a signal: start of the first window that crossed, and end of the one that decided. */
  readonly windows?: { readonly beganMicros: number; readonly decidedMicros: number };
}

export async function recordDecision(queries: Queries, decision: Decision): Promise<void> {
  await queries.query(
    `INSERT INTO decisions (event_id, monitor, endpoint, type, decided_at, record_published, summary,
        began, decided)
     VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)`,
    [
      decision.eventId,
      decision.monitor,
      decision.endpoint,
      decision.type,
      nowMicros(),
      decision.recordPublishedMicros,
      decision.summary,
      decision.windows?.beganMicros ?? null,
      decision.windows?.decidedMicros ?? null,
    ],
  );
}

/** Decisions of a monitor and about the rollouts of its endpoint, oldest first; at most the last 1,000. */
export async function readDecisions(queries: Queries, monitor: string, endpoint: string): Promise<DecisionRecord[]> {
  const rows = await queries.query<DecisionRecord>(
    `SELECT event_id AS "eventId", type, decided_at::float8 AS "decidedAtMicros",
        record_published::float8 AS "decidingRecordPublishedMicros", summary
       FROM decisions WHERE monitor = $1 OR (monitor = '' AND endpoint = $2) ORDER BY sequence DESC LIMIT 1000`,
    [monitor, endpoint],
  );
  return rows.reverse();
}

export async function readPublished(queries: Queries, eventId: string): Promise<number | undefined> {
  const [row] = await queries.query<{ published: number }>(
    'SELECT record_published::float8 AS published FROM decisions WHERE event_id = $1',
    [eventId],
  );
  return row?.published;
}
