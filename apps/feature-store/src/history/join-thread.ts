// A point-in-time join in a thread of its own: it takes seconds of a core, which online reads and the stream need too.
import { join } from 'node:path';
import { Worker } from 'node:worker_threads';
import type { Artifact } from '@headrace/contracts/proto/common/v1/common';
import type { FeatureView, TrainingPlan } from '@headrace/definitions';
import type { Fault } from '../domain/training-columns';
import type { Dataset } from './dataset';
import type { DuckDbSettings } from './duckdb';
import type { FeatureSet } from './feature-set';
import type { TrainingSet } from './training-set';

/** What is sent to the thread: data only, expressions are compiled there. */
export interface JoinJob {
  readonly makes: 'training-set' | 'feature-set';
  readonly plan: TrainingPlan;
  /** The feature views that the plan names, each with its content hash. */
  readonly views: readonly { readonly definition: FeatureView; readonly version: string }[];
  readonly datasets: ReadonlyMap<string, Dataset>;
  readonly fromMicros: number;
  readonly toMicros: number;
  readonly completeUntilMicros: number;
  readonly duckDb: DuckDbSettings;
  /** Folder of the artifact store, which takes the result in. */
  readonly artifacts: string;
}

/** `S`: TrainingSet or FeatureSet, as the job asks for. */
export type JoinAnswer<S extends { readonly path: string }> =
  | { readonly kind: 'materialized'; readonly set: Omit<S, 'path'>; readonly artifact: Artifact }
  | { readonly kind: 'failed'; readonly fault: Fault };

/** The program of the thread, and what Node needs to run it. */
export interface JoinProgram {
  readonly script: string;
  readonly execArgv: readonly string[];
}

export const JOIN_PROGRAM = Symbol('JOIN_PROGRAM');
export const COMPILED_JOIN: JoinProgram = { script: join(__dirname, 'join-program.js'), execArgv: [] };

export function joinTrainingSet(program: JoinProgram, job: Omit<JoinJob, 'makes'>): Promise<JoinAnswer<TrainingSet>> {
  return inThread(program, { ...job, makes: 'training-set' });
}

export function joinFeatureSet(program: JoinProgram, job: Omit<JoinJob, 'makes'>): Promise<JoinAnswer<FeatureSet>> {
  return inThread(program, { ...job, makes: 'feature-set' });
}

/** Rejects with the thread's error, and when the thread ends without an answer. */
function inThread<A>({ script, execArgv }: JoinProgram, job: JoinJob): Promise<A> {
  return new Promise((resolve, reject) => {
    const thread = new Worker(script, { workerData: job, execArgv: [...execArgv] });
    thread.once('message', resolve);
    thread.once('error', reject);
    thread.once('exit', (code) => reject(new Error(`the thread of the join ended with code ${code} and no answer`)));
  });
}
