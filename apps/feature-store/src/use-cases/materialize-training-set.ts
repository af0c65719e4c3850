import { createHash } from 'node:crypto';
import { ArtifactStore } from '@headrace/artifacts';
import { DomainError, events } from '@headrace/contracts';
import type { FeaturesMaterialized } from '@headrace/contracts/proto/features/v1/features_events';
import type { TrainingRequested } from '@headrace/contracts/proto/training/v1/training_events';
import { DefinitionReader } from '@headrace/definition-store';
import { LOG_READER, UNIT_OF_WORK, type LogReader, type UnitOfWork } from '@headrace/messaging';
import { LOGGER, SETTINGS, type Logger, type Queries } from '@headrace/service-kit';
import { canonicalJson, type TrainingPlan } from '@headrace/definitions';
import { Inject, Injectable, Optional, type OnApplicationBootstrap } from '@nestjs/common';
import { DataSource } from 'typeorm';
import { finishJob, postponeJob, resultOf, takeJob, type MaterializationJob } from '../database/jobs.repository';
import {
  contentsOf,
  describeSource,
  resolveColumns,
  viewsOf,
  type Fault,
  type TrainingColumn,
} from '../domain/training-columns';
import { materializationSeconds } from '../feature-store-metrics';
import type { FeatureStoreSettings } from '../feature-store.config';
import { openDataset, type Dataset } from '../history/dataset';
import {
  COMPILED_JOIN,
  JOIN_PROGRAM,
  joinTrainingSet,
  type JoinAnswer,
  type JoinProgram,
} from '../history/join-thread';
import type { TrainingSet } from '../history/training-set';
import { KnownViews } from '../known-views';
import { completeUntil } from './source-completeness';

/** Tries of one job that fails for unknown reasons, a second apart. */
const ATTEMPTS_AT_FAULTS = 3;
/** Tries of one job that waits for something: a definition or an artifact that is still on its way. */
const ATTEMPTS_IN_WAITING = 60;
const PAUSE_SECONDS = 1;

type Result =
  | {
      readonly kind: 'materialized';
      readonly inputsDigest: string;
      readonly message: FeaturesMaterialized;
      readonly reused: boolean;
    }
  | { readonly kind: 'failed'; readonly fault: Fault };

/** Joins the training set of a waiting TrainingRequested and tells what came of it. */
@Injectable()
export class MaterializeTrainingSet implements OnApplicationBootstrap {
  /** By name and version: a run keeps the plan that it was requested with, though the plan may have changed since. */
  private readonly plans = new Map<string, TrainingPlan>();

  constructor(
    @Inject(LOG_READER) private readonly log: LogReader,
    @Inject(UNIT_OF_WORK) private readonly work: UnitOfWork,
    @Inject(SETTINGS) private readonly settings: FeatureStoreSettings,
    @Inject(LOGGER) private readonly logger: Logger,
    private readonly source: DataSource,
    private readonly artifacts: ArtifactStore,
    private readonly definitions: DefinitionReader,
    private readonly views: KnownViews,
    @Optional() @Inject(JOIN_PROGRAM) private readonly program: JoinProgram = COMPILED_JOIN,
  ) {}

  onApplicationBootstrap(): void {
    this.definitions.onChange('TrainingPlan', ({ definition, version }) => {
      this.plans.set(`${definition.metadata.name} ${version}`, definition);
    });
  }

  /** One waiting job; false when there is none. `queries`: the connection that holds the worker's lock. */
  async next(queries: Queries): Promise<boolean> {
    const job = await takeJob(queries);
    if (!job) return false;
    const { runId, plan } = job.request;
    const stopTimer = materializationSeconds.startTimer({ plan });
    const result = await this.attempt(job);
    if (result === undefined) {
      await postponeJob(queries, runId, PAUSE_SECONDS);
      return true;
    }
    await this.work.run(async (transaction) => {
      if (!(await finishJob(transaction, runId, result.kind === 'materialized' ? result : undefined))) return;
      if (result.kind === 'materialized') {
        transaction.publish(events.FeaturesMaterialized, result.message, { cause: job.cause });
      } else {
        transaction.publish(
          events.FeatureMaterializationFailed,
          { runId, plan, ...result.fault },
          { cause: job.cause },
        );
      }
    });
    const seconds = stopTimer({ outcome: result.kind === 'materialized' && result.reused ? 'reused' : result.kind });
    this.logger.info(
      {
        runId,
        plan,
        seconds,
        ...(result.kind === 'failed' ? result.fault : { rows: result.message.rows, reused: result.reused }),
      },
      `training set ${result.kind}`,
    );
    return true;
  }

  /** Undefined: to be tried again. */
  private async attempt(job: MaterializationJob): Promise<Result | undefined> {
    const { runId } = job.request;
    try {
      return await this.materialize(job.request);
    } catch (error) {
      const known = error instanceof DomainError ? error : undefined;
      const tries = known?.retriable === true ? ATTEMPTS_IN_WAITING : known ? 1 : ATTEMPTS_AT_FAULTS;
      if (job.attempts < tries) {
        this.logger.warn({ err: error, runId, attempt: job.attempts }, 'a training set cannot be joined yet');
        return undefined;
      }
      this.logger.error({ err: error, runId }, 'a training set cannot be joined');
      const message = error instanceof Error ? error.message : String(error);
      return { kind: 'failed', fault: { code: known?.code ?? 'join_failed', message } };
    }
  }

  private async materialize(request: TrainingRequested): Promise<Result> {
    const plan = this.plans.get(`${request.plan} ${request.planVersion}`);
    if (!plan) {
      throw new DomainError(
        'unavailable',
        'unknown_plan',
        `TrainingPlan "${request.plan}" in its version ${request.planVersion} is not known here`,
      );
    }
    const resolved = resolveColumns(plan, this.views.byName());
    if (resolved.kind === 'faulty') return { kind: 'failed', fault: resolved.fault };
    const inputsDigest = digestOfInputs(request, resolved.columns);
    const before = await this.madeBefore(inputsDigest);
    if (before)
      return { kind: 'materialized', inputsDigest, message: { ...before, runId: request.runId }, reused: true };
    const began = performance.now();
    const datasets = new Map<string, Dataset>();
    for (const ref of request.datasets) datasets.set(ref.stream, await openDataset(this.artifacts, ref));
    const sources = new Set(resolved.columns.flatMap(({ from }) => (from.kind === 'view' ? [from.view.stream] : [])));
    const complete: number[] = [];
    for (const stream of sources) {
      const dataset = datasets.get(stream);
      if (dataset) complete.push(await completeUntil(this.log, dataset));
    }
    const { JOIN_MEMORY_LIMIT: memoryLimit, JOIN_THREADS: threads, HEADRACE_ARTIFACTS: artifacts } = this.settings;
    const found = performance.now();
    const answer = await joinTrainingSet(this.program, {
      plan,
      views: viewsOf(resolved.columns).map(({ definition, version }) => ({ definition, version })),
      datasets,
      fromMicros: request.fromEventTimeMicros,
      toMicros: request.toEventTimeMicros,
      completeUntilMicros: Math.min(Infinity, ...complete),
      duckDb: { memoryLimit, threads },
      artifacts,
    });
    if (answer.kind === 'failed') return answer;
    const { rowsWithoutLabel, rowsBeyondSources } = answer.set;
    const joined = performance.now();
    const seconds = { completeness: (found - began) / 1e3, join: (joined - found) / 1e3 };
    this.logger.info({ runId: request.runId, rowsWithoutLabel, rowsBeyondSources, seconds }, 'training set joined');
    const message = messageOf(request, resolved.columns, answer);
    return { kind: 'materialized', inputsDigest, message, reused: false };
  }

  /** A training set of the same inputs whose bytes are still there. */
  private async madeBefore(inputsDigest: string): Promise<FeaturesMaterialized | undefined> {
    const made = await resultOf(this.source, inputsDigest);
    const intact = made && (await this.artifacts.pathOf(made.trainingSet?.digest ?? '').catch(() => undefined));
    return intact === undefined ? undefined : made;
  }
}

function messageOf(
  request: TrainingRequested,
  columns: readonly TrainingColumn[],
  { set, artifact }: Extract<JoinAnswer<TrainingSet>, { kind: 'materialized' }>,
): FeaturesMaterialized {
  return {
    runId: request.runId,
    plan: request.plan,
    trainingSet: artifact,
    rows: set.rows,
    columns: columns.map((column) => ({ name: column.name, type: 'double', source: describeSource(column) })),
    datasets: request.datasets,
    featureViews: contentsOf(columns),
    minEventTimeMicros: set.minEventTimeMicros,
    maxEventTimeMicros: set.maxEventTimeMicros,
    rowsWithoutLabel: set.rowsWithoutLabel,
  };
}

/** Everything that a training set is a function of. */
function digestOfInputs(request: TrainingRequested, columns: readonly TrainingColumn[]): string {
  const { plan, planVersion, datasets, fromEventTimeMicros, toEventTimeMicros } = request;
  const inputs = {
    plan,
    planVersion,
    featureViews: contentsOf(columns),
    datasets: datasets.map(({ stream, manifestDigest }) => ({ stream, manifestDigest })),
    fromEventTimeMicros,
    toEventTimeMicros,
  };
  return createHash('sha256').update(canonicalJson(inputs)).digest('hex');
}
