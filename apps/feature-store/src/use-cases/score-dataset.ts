import { ArtifactStore } from '@headrace/artifacts';
import { DomainError, events } from '@headrace/contracts';
import type { Artifact, DatasetVersionRef } from '@headrace/contracts/proto/common/v1/common';
import type { DatasetScored } from '@headrace/contracts/proto/features/v1/features_events';
import { canonicalJson, type TrainingPlan } from '@headrace/definitions';
import { DefinitionReader } from '@headrace/definition-store';
import { LOG_READER, UNIT_OF_WORK, type LogReader, type UnitOfWork } from '@headrace/messaging';
import { COMPILED_MODEL_CHILD, ModelProcess, type ModelChild } from '@headrace/scoring';
import { LOGGER, SETTINGS, type Logger, type Queries } from '@headrace/service-kit';
import { Inject, Injectable, Optional } from '@nestjs/common';
import { newestDatasets } from '../database/jobs.repository';
import {
  addPart,
  datasetVersion,
  finishScoring,
  partsOf,
  postponeScoring,
  settleInputs,
  takeScoringJob,
  type ScoredPart,
  type ScoringInputs,
  type ScoringJob,
} from '../database/scoring-jobs.repository';
import { scoresManifest } from '../domain/scores-manifest';
import { contentsOf, resolveColumns, viewsOf } from '../domain/training-columns';
import { scoredRowsTotal, scoringJobsTotal } from '../feature-store-metrics';
import type { FeatureStoreSettings } from '../feature-store.config';
import { openDataset, type Dataset } from '../history/dataset';
import { COMPILED_JOIN, JOIN_PROGRAM, joinFeatureSet, type JoinProgram } from '../history/join-thread';
import { scorePart } from '../history/score-part';
import { KnownViews } from '../known-views';
import { completeUntil } from './source-completeness';

/** The process that runs a model, where it is not the compiled one (specs). */
export const MODEL_CHILD = Symbol('MODEL_CHILD');

/** Tries without a step forward, when the reason is unknown. */
const ATTEMPTS_AT_FAULTS = 3;
/** The same, while something is waited for: a definition, a dataset version or an artifact on its way. */
const ATTEMPTS_IN_WAITING = 60;
const PAUSE_SECONDS = 1;

type End = { readonly manifest: Artifact } | { readonly code: string; readonly message: string };

/** Scores the dataset version of a waiting ScoringRequested, part by part, and tells what came of it. */
@Injectable()
export class ScoreDataset {
  constructor(
    @Inject(LOG_READER) private readonly log: LogReader,
    @Inject(UNIT_OF_WORK) private readonly work: UnitOfWork,
    @Inject(SETTINGS) private readonly settings: FeatureStoreSettings,
    @Inject(LOGGER) private readonly logger: Logger,
    private readonly artifacts: ArtifactStore,
    private readonly definitions: DefinitionReader,
    private readonly views: KnownViews,
    @Optional() @Inject(JOIN_PROGRAM) private readonly program: JoinProgram = COMPILED_JOIN,
    @Optional() @Inject(MODEL_CHILD) private readonly child: ModelChild = COMPILED_MODEL_CHILD,
  ) {}

  /**
   * One waiting job, or what is left of it; false when there is none. `queries`: the connection that holds the worker's
   * lock. Aborted, it ends after the part in progress, and goes on there the next time.
   */
  async next(queries: Queries, stopping: AbortSignal): Promise<boolean> {
    const job = await takeScoringJob(queries);
    if (!job) return false;
    const { jobId } = job.request;
    let end: End | undefined;
    try {
      end = await this.advance(queries, job, stopping);
      if (end === undefined) return true;
    } catch (error) {
      const known = error instanceof DomainError ? error : undefined;
      const code = known?.code ?? 'scoring_failed';
      const message = error instanceof Error ? error.message : String(error);
      const tries = known?.retriable === true ? ATTEMPTS_IN_WAITING : known ? 1 : ATTEMPTS_AT_FAULTS;
      if (job.attempts < tries) {
        this.logger.warn({ err: error, jobId, attempt: job.attempts }, 'a dataset version cannot be scored yet');
        await postponeScoring(queries, jobId, PAUSE_SECONDS, { code, message });
        return true;
      }
      this.logger.error({ err: error, jobId }, 'a dataset version cannot be scored');
      end = { code, message };
    }
    await this.finish(job, end);
    return true;
  }

  private async advance(queries: Queries, job: ScoringJob, stopping: AbortSignal): Promise<End | undefined> {
    const { jobId, signature, modelArtifact } = job.request;
    if (!signature || !modelArtifact) {
      return { code: 'incomplete_request', message: 'the request names no signature or no model artifact' };
    }
    // A job that takes the process down with it leaves no error: its tries are counted all the same.
    if (job.attempts > ATTEMPTS_IN_WAITING) {
      return { code: 'gave_up', message: `${job.attempts - 1} tries ended without a word: see the log of the service` };
    }
    const settled = job.inputs ? job : await this.settle(queries, job);
    if ('code' in settled) return settled;
    const { inputs, rows } = settled;
    if (!inputs) throw new Error('a settled job has inputs');
    const done = await partsOf(queries, jobId);
    const partRows = this.settings.SCORING_PART_ROWS;
    const first = done.reduce((sum, part) => sum + part.rows, 0);
    if (first < rows) {
      const features = await this.artifacts.pathOf(inputs.features.digest);
      const model = await ModelProcess.start({
        path: await this.artifacts.pathOf(modelArtifact.digest),
        columns: signature.features.length,
        task: signature.task,
        limits: {
          timeoutMs: this.settings.SCORING_MODEL_TIMEOUT_MS,
          memoryMiB: this.settings.SCORING_MODEL_MEMORY_MIB,
        },
        child: this.child,
      });
      try {
        for (let from = first; from < rows; from += partRows) {
          if (stopping.aborted) return undefined;
          const to = Math.min(rows, from + partRows);
          const columns = signature.features.map(({ name }) => name);
          const part = await this.scoreRows({ path: features, from, to, columns, model, number: done.length });
          await addPart(queries, jobId, part);
          done.push(part);
          scoredRowsTotal.inc({ model: job.request.model }, part.rows);
        }
      } finally {
        model.stop();
      }
    }
    const manifest = scoresManifest(settled.request, inputs, done, rows, settled.rowsBeyondSources);
    return { manifest: await this.artifacts.putBytes(Buffer.from(canonicalJson(manifest)), 'scores.json') };
  }

  private async scoreRows(part: {
    readonly path: string;
    readonly from: number;
    readonly to: number;
    readonly columns: readonly string[];
    readonly model: ModelProcess;
    readonly number: number;
  }): Promise<ScoredPart> {
    const { JOIN_MEMORY_LIMIT: memoryLimit, JOIN_THREADS: threads } = this.settings;
    const score = (features: Float32Array, rows: number): Promise<Float64Array> => part.model.score(features, rows);
    return scorePart({ memoryLimit, threads }, { ...part, score }, async (path, rows) => {
      if (rows !== part.to - part.from)
        throw new Error(`${rows} rows for [${part.from}, ${part.to}) of the feature set`);
      const { digest, sizeBytes } = await this.artifacts.putFile(path, 'scores.parquet');
      return { part: part.number, digest, sizeBytes, rows };
    });
  }

  /** Chooses exact dataset versions and joins the features that every part is scored from. */
  private async settle(
    queries: Queries,
    job: ScoringJob,
  ): Promise<ScoringJob | { readonly code: string; readonly message: string }> {
    const { request } = job;
    const { plan, planVersion } = this.planOf(job);
    if (plan.spec.spine.stream !== request.stream) {
      const message = `TrainingPlan "${request.plan}" has its rows in "${plan.spec.spine.stream}", not in "${request.stream}"`;
      return { code: 'not_the_spine', message };
    }
    const dataset = await datasetVersion(queries, request.stream, request.datasetVersion);
    if (!dataset) {
      const wanted = request.datasetVersion === 0 ? 'dataset version' : `dataset version ${request.datasetVersion}`;
      throw new DomainError('unavailable', 'unknown_dataset', `there is no ${wanted} of stream "${request.stream}"`);
    }
    const resolved = resolveColumns(plan, this.views.byName());
    if (resolved.kind === 'faulty') return resolved.fault;
    const streams = [...new Set(viewsOf(resolved.columns).map(({ stream }) => stream))];
    const others = streams.filter((stream) => stream !== request.stream);
    const sources: DatasetVersionRef[] = await newestDatasets(queries, others);
    const datasets = new Map<string, Dataset>();
    for (const ref of [dataset, ...sources]) datasets.set(ref.stream, await openDataset(this.artifacts, ref));
    const complete: number[] = [];
    for (const stream of streams) {
      const source = datasets.get(stream);
      if (source) complete.push(await completeUntil(this.log, source));
    }
    const { JOIN_MEMORY_LIMIT: memoryLimit, JOIN_THREADS: threads, HEADRACE_ARTIFACTS: artifacts } = this.settings;
    const answer = await joinFeatureSet(this.program, {
      plan,
      views: viewsOf(resolved.columns).map(({ definition, version }) => ({ definition, version })),
      datasets,
      fromMicros: 0,
      toMicros: 0,
      completeUntilMicros: Math.min(Infinity, ...complete),
      duckDb: { memoryLimit, threads },
      artifacts,
    });
    if (answer.kind === 'failed') return answer.fault;
    const featureViews = contentsOf(resolved.columns);
    const inputs: ScoringInputs = { dataset, sources, featureViews, planVersion, features: answer.artifact };
    const { rows, rowsBeyondSources } = answer.set;
    await settleInputs(queries, request.jobId, inputs, rows, rowsBeyondSources);
    this.logger.info({ jobId: request.jobId, rows, rowsBeyondSources }, 'features of a scoring job joined');
    return { ...job, inputs, rows, rowsBeyondSources };
  }

  /**
   * The plan of now says what a row's entities are; the features are those of the version, whatever became of its plan.
   */
  private planOf({ request }: ScoringJob): { readonly plan: TrainingPlan; readonly planVersion: string } {
    const known = this.definitions.get('TrainingPlan', request.plan);
    if (!known) {
      throw new DomainError('unavailable', 'unknown_plan', `TrainingPlan "${request.plan}" is not known here`);
    }
    const features = (request.signature?.features ?? []).map(({ name, view, feature, requestExpression }) =>
      requestExpression === '' ? { name, view, feature } : { name, request: requestExpression },
    );
    const { definition, version } = known;
    return { plan: { ...definition, spec: { ...definition.spec, features } }, planVersion: version };
  }

  private async finish({ request, cause, ...job }: ScoringJob, end: End): Promise<void> {
    const { jobId, plan, model, version } = request;
    const outcome = 'manifest' in end ? 'done' : 'failed';
    await this.work.run(async (transaction) => {
      if (!(await finishScoring(transaction, jobId, end))) return;
      if ('manifest' in end) {
        transaction.publish(events.DatasetScored, await this.scored(transaction, request, end.manifest), { cause });
      } else {
        transaction.publish(events.ScoringFailed, { jobId, plan, model, version, ...end }, { cause });
      }
    });
    scoringJobsTotal.inc({ model, outcome });
    this.logger.info({ jobId, model, version, attempts: job.attempts, ...end }, `scoring ${outcome}`);
  }

  private async scored(queries: Queries, request: ScoringJob['request'], manifest: Artifact): Promise<DatasetScored> {
    const [row] = await queries.query<{ inputs: ScoringInputs; rows: number; beyond: number }>(
      `SELECT inputs, rows::float8 AS rows, rows_beyond_sources::float8 AS beyond FROM scoring_jobs WHERE job_id = $1`,
      [request.jobId],
    );
    if (!row) throw new Error('the job is gone');
    const { jobId, plan, model, version, endpoint, modelArtifact } = request;
    const { dataset, sources, featureViews } = row.inputs;
    return {
      ...{ jobId, plan, model, version, endpoint, modelArtifact, manifest },
      dataset,
      sources: [...sources],
      featureViews: [...featureViews],
      rows: row.rows,
      rowsBeyondSources: row.beyond,
    };
  }
}
