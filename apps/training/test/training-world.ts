// What the specs of the running service do and wait for, in the words of the domain.
import { events } from '@headrace/contracts';
import type { Artifact } from '@headrace/contracts/proto/common/v1/common';
import { FeaturesMaterialized, type TrainingColumn } from '@headrace/contracts/proto/features/v1/features_events';
import { RetrainingRequested } from '@headrace/contracts/proto/monitoring/v1/monitoring_events';
import type { ModelTrained, TrainingRequested } from '@headrace/contracts/proto/training/v1/training_events';
import type { TrainingRun } from '@headrace/contracts/proto/training/v1/training_service';
import type { TrainingPlan } from '@headrace/definitions';
import { eventually, uniqueName } from '@headrace/testing';
import { Client } from 'pg';
import { aPlan, aView, digestOf } from './builders';
import { RunningTraining, TrainingSite } from './running-training';

export const PATIENCE = { timeoutMs: 60_000 };

/** Streams and plan of one spec, with names of their own. */
export interface Loop {
  readonly plan: string;
  readonly definition: TrainingPlan;
  readonly departures: string;
  readonly arrivals: string;
}

/** An event's data, with what the envelope says of it. */
export type Said<T> = T & { readonly eventId: string; readonly causationId: string };

export function nameOf(prefix: string): string {
  return uniqueName(prefix)
    .toLowerCase()
    .replaceAll(/[^a-z0-9-]/g, '-');
}

export function columnsOf(plan: string): TrainingColumn[] {
  return [
    { name: 'distance', type: 'double', source: 'request:distance' },
    { name: 'delay_3h', type: 'double', source: `${plan}-delays:mean_3h` },
  ];
}

export class TrainingWorld {
  private constructor(
    readonly site: TrainingSite,
    public running: RunningTraining,
  ) {}

  static async create(): Promise<TrainingWorld> {
    const site = await TrainingSite.create();
    return new TrainingWorld(site, await RunningTraining.start(site));
  }

  async restart(): Promise<void> {
    await this.running.stop();
    this.running = await RunningTraining.start(this.site);
  }

  async remove(): Promise<void> {
    await this.running.stop();
    await this.site.remove();
  }

  /** A plan with its view. */
  async aLoop(spec: Partial<TrainingPlan['spec']> = {}): Promise<Loop> {
    const plan = nameOf('late');
    const [departures, arrivals, view] = [`${plan}-departures`, `${plan}-arrivals`, `${plan}-delays`] as const;
    await this.running.defined(aView(view, arrivals));
    const definition = aPlan(
      {
        model: plan,
        spine: { stream: departures, entities: { origin: 'record.origin' } },
        label: { stream: arrivals, expression: 'record.delay > 15.0' },
        features: [
          { name: 'distance', request: 'request.distance' },
          { name: 'delay_3h', view, feature: 'mean_3h' },
        ],
        ...spec,
      },
      plan,
    );
    await this.running.apply(definition);
    return { plan, definition, departures, arrivals };
  }

  /** ingestion commits a dataset version. */
  commits(stream: string, version: number, rows: number, knownMicros = 100): Promise<string> {
    return this.running.says(events.DatasetVersionCommitted, {
      dataset: { stream, version, manifestDigest: digestOf(String(version)) },
      rows,
      addedRows: rows,
      minEventTimeMicros: 0,
      maxEventTimeMicros: knownMicros,
      maxKnownTimeMicros: knownMicros,
      firstRecord: undefined,
      lastRecord: undefined,
    });
  }

  /** The data of the first training is there: it is requested. */
  async ready(loop: Loop): Promise<Said<TrainingRequested>> {
    await this.commits(loop.arrivals, 1, 1_000);
    await this.commits(loop.departures, 1, 1_000);
    const [first] = await this.requested(loop.plan, 1);
    if (!first) throw new Error('nothing was requested');
    return first;
  }

  /** feature-store has joined. */
  joinedAs(run: TrainingRequested, trainingSet: Artifact, columns = columnsOf(run.plan)): Promise<string> {
    return this.running.says(
      events.FeaturesMaterialized,
      FeaturesMaterialized.fromPartial({
        runId: run.runId,
        plan: run.plan,
        trainingSet,
        columns,
        datasets: run.datasets,
        featureViews: [`${run.plan}-delays@sha256:0`],
      }),
    );
  }

  async joined(run: TrainingRequested, rows = 2_000, delay?: string): Promise<string> {
    return this.joinedAs(run, await this.site.trainingSet(rows, delay));
  }

  /** monitoring asks for a new version. */
  asksForRetraining(plan: string, decidedAtEventMicros: number, reason = 'psi 0.3'): Promise<string> {
    const asked = { plan, model: plan, monitor: plan, signal: 'drift', reason, decidedAtEventMicros };
    return this.running.says(events.RetrainingRequested, RetrainingRequested.fromPartial(asked));
  }

  start(plan: string, shuffleLabels = false, as: 'dana' | 'vera' = 'dana'): Promise<{ runId: string }> {
    const { training } = this.running;
    return this.running.call(training.startTraining.bind(training), { plan, reason: '', shuffleLabels }, as);
  }

  async cancel(runId: string, as: 'dana' | 'vera' = 'dana'): Promise<void> {
    const { training } = this.running;
    await this.running.call(training.cancelRun.bind(training), { runId }, as);
  }

  /** All runs of the plan, oldest first, once they are in these states. */
  state(plan: string, ...states: string[]): Promise<TrainingRun[]> {
    return eventually(async () => {
      const runs = await this.running.runs(plan);
      expect(runs.map((run) => run.state)).toEqual(states);
      return runs;
    }, PATIENCE);
  }

  /** The trainer of the plan's first run is at work. */
  async fitting(plan: string): Promise<void> {
    await eventually(async () => {
      const [run] = await this.running.runs(plan);
      expect(run?.steps.find((step) => step.name === 'fit')?.message).toContain('fit: fitting');
    }, PATIENCE);
  }

  requested(plan: string, count: number): Promise<Said<TrainingRequested>[]> {
    return eventually(async () => {
      const found = await this.running.published(events.TrainingRequested, plan);
      expect(found).toHaveLength(count);
      return found.map(({ data, eventId, causationId }) => ({ ...data, eventId, causationId }));
    }, PATIENCE);
  }

  trained(plan: string, count: number): Promise<Said<ModelTrained>[]> {
    return eventually(async () => {
      const found = await this.running.published(events.ModelTrained, plan);
      expect(found).toHaveLength(count);
      return found.map(({ data, eventId, causationId }) => ({ ...data, eventId, causationId }));
    }, PATIENCE);
  }

  async query<R extends object>(sql: string): Promise<R[]> {
    const database = new Client({ connectionString: this.site.database.url });
    await database.connect();
    try {
      return (await database.query<R>(sql)).rows;
    } finally {
      await database.end();
    }
  }

  async championOf(model: string): Promise<number> {
    const sql = `SELECT version FROM training.champions WHERE model = '${model}'`;
    const [row] = await this.query<{ version: string }>(sql);
    return Number(row?.version ?? 0);
  }
}
