import type { VersionsScored } from '@headrace/contracts/proto/inference/v1/inference_events';
import type { ScoreCounts } from '../domain/failure-evidence';
import type { Queries } from './sql';

export interface VersionScores extends ScoreCounts {
  readonly version: number;
  readonly lastError: string;
  /** Wall clock of the newest report. */
  readonly reportedMicros: number;
}

/** Reports hold what came since the gateway's report before: they add up. */
export async function addScores(queries: Queries, report: VersionsScored, reportedMicros: number): Promise<void> {
  const { versions } = report;
  await queries.query(
    `INSERT INTO rollout_scores AS known (rollout_id, version, asked, failed, last_error, reported)
     SELECT $1, version, asked, failed, last_error, $6
       FROM unnest($2::bigint[], $3::bigint[], $4::bigint[], $5::text[]) AS reported (version, asked, failed, last_error)
     ON CONFLICT (rollout_id, version) DO UPDATE
        SET asked = known.asked + excluded.asked, failed = known.failed + excluded.failed,
            last_error = CASE WHEN excluded.last_error = '' THEN known.last_error ELSE excluded.last_error END,
            reported = greatest(known.reported, excluded.reported)`,
    [
      report.rolloutId,
      versions.map((one) => one.version),
      versions.map((one) => one.asked),
      versions.map((one) => one.failed),
      versions.map((one) => one.lastError),
      reportedMicros,
    ],
  );
}

export async function readScores(queries: Queries, rolloutId: string): Promise<VersionScores[]> {
  return queries.query<VersionScores>(
    `SELECT version::float8 AS version, asked::float8 AS asked, failed::float8 AS failed, last_error AS "lastError",
        reported::float8 AS "reportedMicros"
       FROM rollout_scores WHERE rollout_id = $1`,
    [rolloutId],
  );
}

/** What was said about a rollout without labels. */
export interface RolloutCheck {
  readonly rolledBack: boolean;
  /** The last step that was found inconclusive; −1: none. */
  readonly inconclusiveStep: number;
}

export async function readCheck(queries: Queries, rolloutId: string): Promise<RolloutCheck> {
  const [row] = await queries.query<RolloutCheck>(
    `SELECT rolled_back AS "rolledBack", inconclusive_step AS "inconclusiveStep"
       FROM rollout_checks WHERE rollout_id = $1`,
    [rolloutId],
  );
  return row ?? { rolledBack: false, inconclusiveStep: -1 };
}

export async function saveCheck(queries: Queries, rolloutId: string, check: RolloutCheck): Promise<void> {
  await queries.query(
    `INSERT INTO rollout_checks (rollout_id, rolled_back, inconclusive_step) VALUES ($1, $2, $3)
     ON CONFLICT (rollout_id) DO UPDATE
        SET rolled_back = excluded.rolled_back, inconclusive_step = excluded.inconclusive_step`,
    [rolloutId, check.rolledBack, check.inconclusiveStep],
  );
}

/** Forgets rollouts that have ended and were last reported on before a moment of the wall clock. */
export async function forgetRollouts(queries: Queries, beforeMicros: number): Promise<void> {
  const running = `SELECT rollout ->> 'rolloutId' FROM deployments WHERE jsonb_typeof(rollout) = 'object'`;
  await queries.query(`DELETE FROM rollout_scores WHERE reported < $1 AND rollout_id NOT IN (${running})`, [
    beforeMicros,
  ]);
  await queries.query(
    `DELETE FROM rollout_checks c WHERE rollout_id NOT IN (${running})
        AND NOT EXISTS (SELECT 1 FROM rollout_scores s WHERE s.rollout_id = c.rollout_id)`,
  );
}
