import { encodeMessage } from '@headrace/contracts';
import { FeaturesMaterialized } from '@headrace/contracts/proto/features/v1/features_events';
import { TrainingRequested } from '@headrace/contracts/proto/training/v1/training_events';
import type { Cause } from '@headrace/messaging';
import type { Queries } from '@headrace/service-kit';

export interface MaterializationJob {
  readonly request: TrainingRequested;
  readonly cause: Cause;
  readonly attempts: number;
}

/** Idempotent by run. */
export async function addJob(queries: Queries, request: TrainingRequested, cause: Cause): Promise<void> {
  const { eventId, correlationId, traceparent } = cause;
  await queries.query(
    `INSERT INTO materialization_jobs (run_id, request, cause) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING`,
    [
      request.runId,
      encodeMessage(TrainingRequested, request),
      JSON.stringify({ eventId, correlationId, ...(traceparent === undefined ? {} : { traceparent }) }),
    ],
  );
}

/** The oldest job that is due, counted as tried once more. For the holder of the worker's lock only. */
export async function takeJob(queries: Queries): Promise<MaterializationJob | undefined> {
  const [row] = await queries.query<{ request: Buffer; cause: Cause; attempts: number }>(
    `WITH taken AS (
       UPDATE materialization_jobs SET attempts = attempts + 1
        WHERE run_id = (
          SELECT run_id FROM materialization_jobs WHERE state = 'waiting' AND next_try_at <= now()
           ORDER BY created_at LIMIT 1)
        RETURNING request, cause, attempts)
     SELECT * FROM taken`,
  );
  return row && { request: TrainingRequested.decode(row.request), cause: row.cause, attempts: row.attempts };
}

/** Others may go first meanwhile. */
export async function postponeJob(queries: Queries, runId: string, seconds: number): Promise<void> {
  await queries.query(
    `UPDATE materialization_jobs SET next_try_at = now() + make_interval(secs => $2) WHERE run_id = $1`,
    [runId, seconds],
  );
}

/** What an earlier job made of the same inputs. */
export async function resultOf(queries: Queries, inputsDigest: string): Promise<FeaturesMaterialized | undefined> {
  const [row] = await queries.query<{ result: Buffer }>(
    `SELECT result FROM materialization_jobs WHERE inputs_digest = $1 AND state = 'done' LIMIT 1`,
    [inputsDigest],
  );
  return row && FeaturesMaterialized.decode(row.result);
}

/** False when it was finished before: then nothing may be published again. `made`: what later jobs may take over. */
export async function finishJob(
  queries: Queries,
  runId: string,
  made: { readonly inputsDigest: string; readonly message: FeaturesMaterialized } | undefined,
): Promise<boolean> {
  const rows = await queries.query(
    `WITH finished AS (
       UPDATE materialization_jobs SET state = $2, finished_at = now(), inputs_digest = $3, result = $4
        WHERE run_id = $1 AND state = 'waiting'
       RETURNING run_id)
     SELECT * FROM finished`,
    [
      runId,
      made ? 'done' : 'failed',
      made?.inputsDigest ?? null,
      made ? encodeMessage(FeaturesMaterialized, made.message) : null,
    ],
  );
  return rows.length === 1;
}

export async function addDatasetVersion(
  queries: Queries,
  dataset: { readonly stream: string; readonly version: number; readonly manifestDigest: string },
): Promise<void> {
  await queries.query(
    `INSERT INTO dataset_versions (stream, version, manifest_digest) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING`,
    [dataset.stream, dataset.version, dataset.manifestDigest],
  );
}

export async function newestDatasets(
  queries: Queries,
  streams: readonly string[],
): Promise<{ stream: string; version: number; manifestDigest: string }[]> {
  return queries.query(
    `SELECT DISTINCT ON (stream) stream, version::float8 AS version, manifest_digest AS "manifestDigest"
       FROM dataset_versions WHERE stream = ANY($1::text[]) ORDER BY stream, version DESC`,
    [streams],
  );
}
