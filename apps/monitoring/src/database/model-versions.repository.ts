import { encodeMessage } from '@headrace/contracts';
import { ModelSignature, type ModelTrained } from '@headrace/contracts/proto/training/v1/training_events';
import type { Queries } from './sql';

export interface RunnableVersion {
  /** Of the model's file. */
  readonly digest: string;
  readonly signature: ModelSignature;
  readonly trainToMicros: number;
}

export async function saveTraining(queries: Queries, trained: ModelTrained): Promise<void> {
  if (!trained.modelArtifact || !trained.signature) return;
  await queries.query(
    `INSERT INTO model_versions (run_id, model, digest, signature, train_to) VALUES ($1, $2, $3, $4, $5)
     ON CONFLICT (run_id) DO UPDATE
        SET digest = excluded.digest, signature = excluded.signature, train_to = excluded.train_to`,
    [
      trained.runId,
      trained.model,
      trained.modelArtifact.digest,
      encodeMessage(ModelSignature, trained.signature),
      trained.trainToMicros,
    ],
  );
}

export async function saveNumber(queries: Queries, runId: string, model: string, version: number): Promise<void> {
  await queries.query(
    `INSERT INTO model_versions (run_id, model, version) VALUES ($1, $2, $3)
     ON CONFLICT (run_id) DO UPDATE SET version = excluded.version`,
    [runId, model, version],
  );
}

/** Undefined: not known here (yet). */
export async function findVersion(
  queries: Queries,
  model: string,
  version: number,
): Promise<RunnableVersion | undefined> {
  const [row] = await queries.query<{ digest: string; signature: Buffer; train_to: number }>(
    `SELECT digest, signature, train_to::float8 AS train_to FROM model_versions
      WHERE model = $1 AND version = $2 AND digest IS NOT NULL`,
    [model, version],
  );
  return row && { digest: row.digest, signature: ModelSignature.decode(row.signature), trainToMicros: row.train_to };
}
