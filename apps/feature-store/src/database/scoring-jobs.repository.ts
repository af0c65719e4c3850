import { encodeMessage } from '@headrace/contracts';
import type { Artifact, DatasetVersionRef } from '@headrace/contracts/proto/common/v1/common';
import { ScoringRequested } from '@headrace/contracts/proto/registry/v1/registry_events';
import type { Cause } from '@headrace/messaging';
import type { Queries } from '@headrace/service-kit';

/** What a job is a function of, settled once. */
export interface ScoringInputs {
  readonly dataset: DatasetVersionRef;
  readonly sources: readonly DatasetVersionRef[];
  /** "<name>@<content hash>". */
  readonly featureViews: readonly string[];
  readonly planVersion: string;
  /** The feature set (Parquet). */
  readonly features: Artifact;
}

export interface ScoringJob {
  readonly request: ScoringRequested;
  readonly cause: Cause;
  readonly attempts: number;
  readonly inputs: ScoringInputs | null;
  readonly rows: number;
  readonly rowsBeyondSources: number;
}

export interface ScoredPart {
  readonly part: number;
  readonly digest: string;
  readonly sizeBytes: number;
  readonly rows: number;
}

/** Idempotent by job. */
export async function addScoringJob(queries: Queries, request: ScoringRequested, cause: Cause): Promise<void> {
  const { eventId, correlationId, traceparent } = cause;
  await queries.query(`INSERT INTO scoring_jobs (job_id, request, cause) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING`, [
    request.jobId,
    encodeMessage(ScoringRequested, request),
    JSON.stringify({ eventId, correlationId, ...(traceparent === undefined ? {} : { traceparent }) }),
  ]);
}

/** The oldest job that is due, counted as tried once more. For the holder of the worker's lock only. */
export async function takeScoringJob(queries: Queries): Promise<ScoringJob | undefined> {
  const [row] = await queries.query<Omit<ScoringJob, 'request'> & { request: Buffer }>(
    `WITH taken AS (
       UPDATE scoring_jobs SET attempts = attempts + 1
        WHERE job_id = (
          SELECT job_id FROM scoring_jobs WHERE state IN ('waiting', 'scoring') AND next_try_at <= now()
           ORDER BY created_at LIMIT 1)
        RETURNING request, cause, attempts, inputs, rows::float8 AS rows,
          rows_beyond_sources::float8 AS "rowsBeyondSources")
     SELECT * FROM taken`,
  );
  return row && { ...row, request: ScoringRequested.decode(row.request) };
}

/** Others may go first meanwhile. */
export async function postponeScoring(
  queries: Queries,
  jobId: string,
  seconds: number,
  why: { readonly code: string; readonly message: string },
): Promise<void> {
  await queries.query(
    `UPDATE scoring_jobs SET next_try_at = now() + make_interval(secs => $2), code = $3, message = $4 WHERE job_id = $1`,
    [jobId, seconds, why.code, why.message],
  );
}

/** What the parts are scored from, from now on. */
export async function settleInputs(
  queries: Queries,
  jobId: string,
  inputs: ScoringInputs,
  rows: number,
  rowsBeyondSources: number,
): Promise<void> {
  await queries.query(
    `UPDATE scoring_jobs
        SET state = 'scoring', inputs = $2, rows = $3, rows_beyond_sources = $4, attempts = 1, code = '', message = ''
      WHERE job_id = $1 AND state = 'waiting'`,
    [jobId, JSON.stringify(inputs), rows, rowsBeyondSources],
  );
}

export async function partsOf(queries: Queries, jobId: string): Promise<ScoredPart[]> {
  return queries.query(
    `SELECT part, digest, size_bytes::float8 AS "sizeBytes", rows::float8 AS rows FROM scoring_parts
      WHERE job_id = $1 ORDER BY part`,
    [jobId],
  );
}

/** Something was achieved: tries are counted anew. */
export async function addPart(queries: Queries, jobId: string, part: ScoredPart): Promise<void> {
  await queries.query(
    `WITH kept AS (
       INSERT INTO scoring_parts (job_id, part, digest, size_bytes, rows) VALUES ($1, $2, $3, $4, $5)
       ON CONFLICT DO NOTHING)
     UPDATE scoring_jobs SET attempts = 1, code = '', message = '' WHERE job_id = $1`,
    [jobId, part.part, part.digest, part.sizeBytes, part.rows],
  );
}

/** False when it was finished before: then nothing may be published again. */
export async function finishScoring(
  queries: Queries,
  jobId: string,
  end: { readonly manifest: Artifact } | { readonly code: string; readonly message: string },
): Promise<boolean> {
  const done = 'manifest' in end;
  const rows = await queries.query(
    `WITH finished AS (
       UPDATE scoring_jobs SET state = $2, manifest = $3, code = $4, message = $5, finished_at = now()
        WHERE job_id = $1 AND state IN ('waiting', 'scoring') RETURNING job_id)
     SELECT * FROM finished`,
    [
      jobId,
      done ? 'done' : 'failed',
      done ? JSON.stringify(end.manifest) : null,
      done ? '' : end.code,
      done ? '' : end.message,
    ],
  );
  return rows.length === 1;
}

export interface ListedScoring {
  readonly request: ScoringRequested;
  readonly state: string;
  readonly inputs: ScoringInputs | null;
  readonly rows: number;
  readonly rowsScored: number;
  readonly rowsBeyondSources: number;
  readonly manifest: Artifact | null;
  readonly code: string;
  readonly message: string;
  readonly requestedAtMicros: number;
  readonly finishedAtMicros: number;
}

/** Newest first; of one job when `jobId` is not empty. */
export async function listScoring(queries: Queries, jobId: string, limit: number): Promise<ListedScoring[]> {
  const rows = await queries.query<Omit<ListedScoring, 'request'> & { request: Buffer }>(
    `SELECT request, state, inputs, rows::float8 AS rows, rows_beyond_sources::float8 AS "rowsBeyondSources", manifest,
       code, message,
       (SELECT coalesce(sum(p.rows), 0)::float8 FROM scoring_parts p WHERE p.job_id = j.job_id) AS "rowsScored",
       (extract(epoch FROM created_at) * 1000000)::float8 AS "requestedAtMicros",
       coalesce((extract(epoch FROM finished_at) * 1000000)::float8, 0) AS "finishedAtMicros"
     FROM scoring_jobs j WHERE $1 = '' OR job_id = $1 ORDER BY created_at DESC LIMIT $2`,
    [jobId, limit],
  );
  return rows.map((row) => ({ ...row, request: ScoringRequested.decode(row.request) }));
}

/** Undefined: not known here (yet). `version` 0: the newest. */
export async function datasetVersion(
  queries: Queries,
  stream: string,
  version: number,
): Promise<DatasetVersionRef | undefined> {
  const [row] = await queries.query<DatasetVersionRef>(
    `SELECT stream, version::float8 AS version, manifest_digest AS "manifestDigest" FROM dataset_versions
      WHERE stream = $1 AND ($2 = 0 OR version = $2) ORDER BY version DESC LIMIT 1`,
    [stream, version],
  );
  return row;
}
