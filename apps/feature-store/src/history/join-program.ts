// Runs in the thread that join-thread.ts starts.
import { parentPort, workerData } from 'node:worker_threads';
import { ArtifactStore } from '@headrace/artifacts';
import { compileView } from '../domain/feature-view';
import { resolveColumns } from '../domain/training-columns';
import { withDuckDb } from './duckdb';
import { materializeFeatureSet, type FeatureSet } from './feature-set';
import type { JoinAnswer, JoinJob } from './join-thread';
import { materializeTrainingSet, type TrainingSet } from './training-set';

async function run(job: JoinJob): Promise<JoinAnswer<TrainingSet | FeatureSet>> {
  const views = job.views.map(({ definition, version }) => compileView(definition, version));
  const resolved = resolveColumns(job.plan, new Map(views.map((view) => [view.name, view])));
  if (resolved.kind === 'faulty') return { kind: 'failed', fault: resolved.fault };
  const { columns } = resolved;
  const materialize = job.makes === 'training-set' ? materializeTrainingSet : materializeFeatureSet;
  return withDuckDb(job.duckDb, async (connection, folder): Promise<JoinAnswer<TrainingSet | FeatureSet>> => {
    const outcome = await materialize(connection, folder, { ...job, columns });
    if (outcome.kind === 'failed') return outcome;
    const { path, ...set } = outcome.set;
    const artifact = await new ArtifactStore(job.artifacts).putFile(path, `${job.makes}.parquet`);
    return { kind: 'materialized', set, artifact };
  });
}

// A rejection ends the thread with an error event, which the other side waits for.
void run(workerData as JoinJob).then((answer) => parentPort?.postMessage(answer));
