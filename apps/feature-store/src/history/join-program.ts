// Runs in the thread that join-thread.ts starts.
import { parentPort, workerData } from 'node:worker_threads';
import { ArtifactStore } from '@headrace/artifacts';
import { compileView } from '../domain/feature-view';
import { resolveColumns } from '../domain/training-columns';
import { withDuckDb } from './duckdb';
import type { JoinAnswer, JoinJob } from './join-thread';
import { materializeTrainingSet } from './training-set';

async function run(job: JoinJob): Promise<JoinAnswer> {
  const views = job.views.map(({ definition, version }) => compileView(definition, version));
  const resolved = resolveColumns(job.plan, new Map(views.map((view) => [view.name, view])));
  if (resolved.kind === 'faulty') return { kind: 'failed', fault: resolved.fault };
  return withDuckDb(job.duckDb, async (connection, folder): Promise<JoinAnswer> => {
    const outcome = await materializeTrainingSet(connection, folder, { ...job, columns: resolved.columns });
    if (outcome.kind === 'failed') return outcome;
    const { path, ...set } = outcome.set;
    const artifact = await new ArtifactStore(job.artifacts).putFile(path, 'training-set.parquet');
    return { kind: 'materialized', set, artifact };
  });
}

// A rejection ends the thread with an error event, which the other side waits for.
void run(workerData as JoinJob).then((answer) => parentPort?.postMessage(answer));
