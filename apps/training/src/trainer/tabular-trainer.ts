import { mkdir, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { ArtifactStore } from '@headrace/artifacts';
import { DomainError } from '@headrace/contracts';
import type { Artifact } from '@headrace/contracts/proto/common/v1/common';
import { parseDuration } from '@headrace/event-time';
import { SETTINGS } from '@headrace/service-kit';
import { Inject, Injectable } from '@nestjs/common';
import type { RunRow } from '../database/run.table';
import { failureOf, type AttemptFailure } from '../domain/trainer-outcome';
import {
  readProgress,
  readTrainerResult,
  trainerSpec,
  type TrainerResult,
  type TrainerSpec,
} from '../domain/trainer-contract';
import type { TrainingSettings } from '../training.config';
import { trainersRunning } from '../training-metrics';
import { runBounded } from './child-process';

export interface TrainedArtifacts {
  readonly model: Artifact;
  readonly profile: Artifact;
  readonly result: Artifact;
}

export type FitOutcome =
  | { readonly kind: 'fitted'; readonly result: TrainerResult }
  | { readonly kind: 'failed'; readonly failure: AttemptFailure }
  | { readonly kind: 'interrupted' };

export interface PreparedFit {
  readonly spec: TrainerSpec;
  readonly specPath: string;
  readonly timeoutMs: number;
  /** The result of an earlier attempt on the same specification, which was finished and not yet taken in. */
  readonly finished: TrainerResult | undefined;
}

const MAX_OUTPUT_BYTES = 1_048_576;
/** Nothing else in the work folder is touched. */
const RUN_ID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;

/** The tabular trainer as a child process, its files in a folder of the run (contract: trainers/tabular/README.md). */
@Injectable()
export class TabularTrainer {
  constructor(
    @Inject(SETTINGS) private readonly settings: TrainingSettings,
    private readonly artifacts: ArtifactStore,
  ) {}

  /** Writes the specification of a run. Throws a DomainError when an artifact cannot be had. */
  async prepare(run: RunRow): Promise<PreparedFit> {
    const { planDocument: plan, trainingSet, trainingColumns, champion } = run;
    if (!plan || !trainingSet || !trainingColumns) throw new Error(`run ${run.runId} is fitted before it was joined`);
    const folder = this.folderOf(run.runId);
    const outputDirectory = join(folder, 'out');
    await mkdir(outputDirectory, { recursive: true });
    const spec = trainerSpec({
      runId: run.runId,
      plan,
      trainingSet: { path: resolve(await this.artifacts.pathOf(trainingSet.digest)), digest: trainingSet.digest },
      columns: trainingColumns,
      shuffleLabels: run.shuffleLabels,
      champion: champion && {
        version: String(champion.version),
        path: resolve(await this.artifacts.pathOf(champion.digest)),
        features: champion.features,
      },
      outputDirectory,
    });
    const specPath = join(folder, 'spec.json');
    const text = `${JSON.stringify(spec, null, 1)}\n`;
    const isSame = (await readIfThere(specPath)) === text;
    const earlier = isSame ? await readIfThere(join(outputDirectory, 'result.json')) : undefined;
    if (!isSame) await writeFile(specPath, text);
    const read = earlier === undefined ? undefined : readTrainerResult(earlier, spec);
    return {
      spec,
      specPath,
      timeoutMs: parseDuration(plan.spec.timeout) / 1_000,
      finished: read?.kind === 'result' ? read.result : undefined,
    };
  }

  async fit(
    prepared: PreparedFit,
    signal: AbortSignal,
    onProgress: (progress: { readonly step: string; readonly message: string }) => void,
  ): Promise<FitOutcome> {
    trainersRunning.inc();
    const exit = await runBounded({
      command: this.settings.TRAINER_PYTHON,
      arguments: ['-m', 'headrace_tabular', '--spec', prepared.specPath],
      directory: this.settings.TRAINER_DIRECTORY,
      environment: environmentOf(prepared.spec.threads),
      timeoutMs: prepared.timeoutMs,
      maxOutputBytes: MAX_OUTPUT_BYTES,
      onLine: (line) => {
        const progress = readProgress(line);
        if (progress) onProgress(progress);
      },
      signal,
    }).finally(() => trainersRunning.dec());
    if (exit.kind === 'interrupted') return exit;
    const failure = failureOf(exit);
    if (failure) return { kind: 'failed', failure };
    const text = await readIfThere(join(prepared.spec.output_dir, 'result.json'));
    const read = text === undefined ? undefined : readTrainerResult(text, prepared.spec);
    if (read?.kind === 'result') return { kind: 'fitted', result: read.result };
    const message = read?.message ?? 'the trainer succeeded without a result.json';
    return { kind: 'failed', failure: { code: 'trainer_result_invalid', message, retriable: false } };
  }

  /** Takes the files of a finished fit into the artifact store; they must be those that the result speaks of. */
  async store(prepared: PreparedFit, result: TrainerResult): Promise<TrainedArtifacts> {
    const put = (name: string): Promise<Artifact> => this.artifacts.putFile(join(prepared.spec.output_dir, name), name);
    const stored = {
      model: await put('model.onnx'),
      profile: await put('profile.json'),
      result: await put('result.json'),
    };
    for (const name of ['model', 'profile'] as const) {
      if (stored[name].digest === result[name].digest) continue;
      const message = `${stored[name].name} has digest ${stored[name].digest}, result.json says ${result[name].digest}`;
      throw new DomainError('precondition', 'trainer_output_differs', message);
    }
    return stored;
  }

  /** Removes the files of a run. */
  async clear(runId: string): Promise<void> {
    await rm(this.folderOf(runId), { recursive: true, force: true });
  }

  /** At start: removes what a process that was killed left of runs that are over. */
  async clearAllBut(runIds: readonly string[]): Promise<void> {
    await mkdir(this.settings.TRAINING_WORK_DIRECTORY, { recursive: true });
    for (const name of await readdir(this.settings.TRAINING_WORK_DIRECTORY)) {
      if (RUN_ID.test(name) && !runIds.includes(name)) await this.clear(name);
    }
  }

  private folderOf(runId: string): string {
    return resolve(this.settings.TRAINING_WORK_DIRECTORY, runId);
  }
}

/** No token, address or password reaches the trainer. */
function environmentOf(threads: number): Record<string, string> {
  return {
    PATH: '/usr/local/bin:/usr/bin:/bin',
    LANG: 'C.UTF-8',
    HEADRACE_PARENT_WATCH: '1',
    PYTHONUNBUFFERED: '1',
    PYTHONDONTWRITEBYTECODE: '1',
    OMP_NUM_THREADS: String(threads),
  };
}

async function readIfThere(path: string): Promise<string | undefined> {
  return readFile(path, 'utf8').catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return undefined;
    throw error;
  });
}
