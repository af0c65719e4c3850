import { access, mkdir, readdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { digestOfFile } from '@headrace/artifacts';
import { events } from '@headrace/contracts';
import type { Artifact } from '@headrace/contracts/proto/common/v1/common';
import { FeaturesMaterialized } from '@headrace/contracts/proto/features/v1/features_events';
import { RetrainingRequested } from '@headrace/contracts/proto/monitoring/v1/monitoring_events';
import { AliasChanged } from '@headrace/contracts/proto/registry/v1/registry_events';
import type { ModelTrained, TrainingRequested } from '@headrace/contracts/proto/training/v1/training_events';
import type { TrainingPlan } from '@headrace/definitions';
import { eventually, uniqueName } from '@headrace/testing';
import { Client } from 'pg';
import { trainerSpec } from '../src/domain/trainer-contract';
import { aPlan, aTrainerResult, aView, digestOf } from './builders';
import { RunningTraining, TrainingSite } from './running-training';
import { findTrainerPython } from './trainer.config';

const PATIENCE = { timeoutMs: 60_000 };
/** Takes long enough to be caught at it. */
const SLOW = { n_estimators: 30, num_leaves: 300, min_child_samples: 5 };
const ENDLESS = { n_estimators: 4_000, num_leaves: 200, min_child_samples: 5 };

describe('training on the real Kafka and Postgres', () => {
  let site: TrainingSite;
  let running: RunningTraining;

  beforeAll(async () => {
    site = await TrainingSite.create();
    running = await RunningTraining.start(site);
  }, 120_000);

  afterAll(async () => {
    await running.stop();
    await site.remove();
  });

  interface Loop {
    readonly plan: string;
    readonly definition: TrainingPlan;
    readonly departures: string;
    readonly arrivals: string;
  }

  async function aLoop(spec: Partial<TrainingPlan['spec']> = {}): Promise<Loop> {
    const plan = uniqueName('late')
      .toLowerCase()
      .replaceAll(/[^a-z0-9-]/g, '-');
    const [departures, arrivals, view] = [`${plan}-departures`, `${plan}-arrivals`, `${plan}-delays`] as const;
    await running.defined(aView(view, arrivals));
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
    await running.apply(definition);
    return { plan, definition, departures, arrivals };
  }

  const commits = (stream: string, version: number, rows: number, knownMicros = 100) =>
    running.says(events.DatasetVersionCommitted, {
      dataset: { stream, version, manifestDigest: digestOf(String(version)) },
      rows,
      addedRows: rows,
      minEventTimeMicros: 0,
      maxEventTimeMicros: knownMicros,
      maxKnownTimeMicros: knownMicros,
      firstRecord: undefined,
      lastRecord: undefined,
    });

  const requested = (
    plan: string,
    count: number,
  ): Promise<(TrainingRequested & { eventId: string; causationId: string })[]> =>
    eventually(async () => {
      const found = await running.published(events.TrainingRequested, plan);
      expect(found).toHaveLength(count);
      return found.map(({ data, eventId, causationId }) => ({ ...data, eventId, causationId }));
    }, PATIENCE);

  const start = (plan: string, shuffleLabels = false, as: 'dana' | 'vera' = 'dana') =>
    running.call(running.training.startTraining.bind(running.training), { plan, reason: '', shuffleLabels }, as);

  const state = (plan: string, ...states: string[]) =>
    eventually(async () => {
      const runs = await running.runs(plan);
      expect(runs.map((run) => run.state)).toEqual(states);
      return runs;
    }, PATIENCE);

  async function ready(loop: Loop): Promise<TrainingRequested & { eventId: string; causationId: string }> {
    await commits(loop.arrivals, 1, 900);
    await commits(loop.departures, 1, 1_000);
    const [first] = await requested(loop.plan, 1);
    if (!first) throw new Error('nothing was requested');
    return first;
  }

  const columnsOf = (plan: string) => [
    { name: 'distance', type: 'double', source: 'request:distance' },
    { name: 'delay_3h', type: 'double', source: `${plan}-delays:mean_3h` },
  ];

  const joinedAs = (run: TrainingRequested, trainingSet: Artifact): Promise<string> =>
    running.says(
      events.FeaturesMaterialized,
      FeaturesMaterialized.fromPartial({
        runId: run.runId,
        plan: run.plan,
        trainingSet,
        columns: columnsOf(run.plan),
        datasets: run.datasets,
        featureViews: [`${run.plan}-delays@sha256:0`],
      }),
    );

  const joined = async (run: TrainingRequested, rows = 2_000, delay?: string): Promise<string> =>
    joinedAs(run, await site.trainingSet(rows, delay));

  const asksForRetraining = (plan: string, decidedAtEventMicros: number, reason = 'psi 0.3') =>
    running.says(
      events.RetrainingRequested,
      RetrainingRequested.fromPartial({
        plan,
        model: plan,
        monitor: plan,
        signal: 'drift',
        reason,
        decidedAtEventMicros,
      }),
    );

  describe('before the trainer', () => {
    it('requests the first training once its spine has enough rows and every stream a version', async () => {
      const loop = await aLoop({ lookback: '1d' });
      await commits(loop.departures, 1, 999, 90_000_000_000);
      await commits(loop.arrivals, 1, 900);
      const spine = await commits(loop.departures, 2, 1_000, 90_000_000_000);
      const [first] = await requested(loop.plan, 1);
      await commits(loop.departures, 3, 5_000);
      expect(first).toMatchObject({
        plan: loop.plan,
        model: loop.plan,
        trigger: 'data-volume',
        causationId: spine,
        shuffleLabels: false,
        fromEventTimeMicros: 3_600_000_000,
        datasets: [
          { stream: loop.departures, version: 2, manifestDigest: digestOf('2') },
          { stream: loop.arrivals, version: 1, manifestDigest: digestOf('1') },
        ],
      });
      const [run] = await state(loop.plan, 'joining');
      expect(run?.steps.map((step) => [step.name, step.state])).toEqual([
        ['snapshot', 'done'],
        ['join', 'running'],
        ['fit', 'pending'],
        ['register', 'pending'],
      ]);
    });

    it('begins also when the definitions come after the data', async () => {
      const plan = uniqueName('after')
        .toLowerCase()
        .replaceAll(/[^a-z0-9-]/g, '-');
      await commits(`${plan}-departures`, 1, 1_000);
      await commits(`${plan}-arrivals`, 1, 1_000);
      const definition = aPlan(
        {
          spine: { stream: `${plan}-departures`, entities: {} },
          label: { stream: `${plan}-arrivals`, expression: 'record.delay > 15.0' },
          features: [{ name: 'delay_3h', view: `${plan}-delays`, feature: 'mean_3h' }],
        },
        plan,
      );
      await running.apply(definition);
      await running.defined(aView(`${plan}-delays`, `${plan}-arrivals`));
      await requested(plan, 1);
    });

    it('ends a run whose join cannot be made, with the reason', async () => {
      const loop = await aLoop();
      const { runId } = await ready(loop);
      const failure = await running.says(events.FeatureMaterializationFailed, {
        runId,
        plan: loop.plan,
        code: 'no_labels',
        message: 'no row of the spine has a label',
      });
      const [run] = await state(loop.plan, 'failed');
      expect(run).toMatchObject({ error: 'no_labels: no row of the spine has a label' });
      const [failed] = await running.published(events.TrainingFailed, loop.plan);
      expect(failed).toMatchObject({ causationId: failure, data: { runId, step: 'join', code: 'no_labels' } });
    });

    it('waits for dataset versions that reach the moment of the decision', async () => {
      const loop = await aLoop();
      const first = await ready(loop);
      await running.call(running.training.cancelRun.bind(running.training), { runId: first.runId });
      const cause = await asksForRetraining(loop.plan, 500);
      await state(loop.plan, 'cancelled', 'requested');
      await commits(loop.departures, 2, 2_000, 500);
      await state(loop.plan, 'cancelled', 'requested');
      await commits(loop.arrivals, 2, 2_000, 501);
      const [, second] = await requested(loop.plan, 2);
      expect(second).toMatchObject({
        trigger: 'drift',
        reason: 'psi 0.3',
        requestedBy: `Monitor/${loop.plan}`,
        causationId: cause,
      });
      expect(second?.datasets.map(({ version }) => version)).toEqual([2, 2]);
    });

    it('takes the newest there are when its patience is over', async () => {
      const loop = await aLoop();
      const first = await ready(loop);
      await running.call(running.training.cancelRun.bind(running.training), { runId: first.runId });
      await asksForRetraining(loop.plan, 500);
      await requested(loop.plan, 2);
      const runs = await state(loop.plan, 'cancelled', 'joining');
      expect(runs[1]?.steps[0]?.message).toContain('not as new as asked for');
    });

    it('never runs a plan twice at once: later requests wait and become one', async () => {
      const loop = await aLoop();
      const first = await ready(loop);
      await asksForRetraining(loop.plan, 50, 'psi 0.3');
      await state(loop.plan, 'joining', 'queued');
      const last = await asksForRetraining(loop.plan, 60, 'psi 0.4');
      await eventually(
        async () => expect((await running.runs(loop.plan))[1]?.reason).toBe('psi 0.3; psi 0.4'),
        PATIENCE,
      );
      const { runId } = await start(loop.plan, true);
      await state(loop.plan, 'joining', 'queued', 'queued');
      expect(await start(loop.plan, true)).toEqual({ runId });
      await running.call(running.training.cancelRun.bind(running.training), { runId: first.runId });
      await state(loop.plan, 'cancelled', 'joining', 'queued');
      expect((await requested(loop.plan, 2))[1]).toMatchObject({ reason: 'psi 0.3; psi 0.4', causationId: last });
    });

    it('starts runs for people who may, and says why not otherwise', async () => {
      const loop = await aLoop({ triggers: { onRetrainingRequested: false } });
      await expect(start(loop.plan, false, 'vera')).rejects.toThrow('data-scientist');
      await expect(start('never-heard-of')).rejects.toThrow('unknown');
      await expect(start(loop.plan)).rejects.toThrow(`no dataset version yet of ${loop.departures}, ${loop.arrivals}`);
      await commits(loop.departures, 1, 1_000);
      await commits(loop.arrivals, 1, 1_000);
      await asksForRetraining(loop.plan, 0);
      const { runId } = await eventually(() => start(loop.plan, true), PATIENCE);
      const [run] = await requested(loop.plan, 1);
      expect(run).toMatchObject({
        runId,
        trigger: 'manual',
        requestedBy: 'dana',
        reason: 'started by dana',
        shuffleLabels: true,
      });
      const cancel = running.training.cancelRun.bind(running.training);
      await expect(running.call(cancel, { runId }, 'vera')).rejects.toThrow('operator');
      await running.call(cancel, { runId });
      await expect(running.call(cancel, { runId })).rejects.toThrow('cancelled already');
      await expect(running.call(cancel, { runId: 'x' })).rejects.toThrow('unknown');
    });
  });

  const python = findTrainerPython();
  const withTrainer = python === undefined ? describe.skip : describe;

  withTrainer(`with the trainer (${python ?? 'skipped: no Python with its packages; set TRAINER_PYTHON'})`, () => {
    const trained = (plan: string, count: number): Promise<(ModelTrained & { causationId: string })[]> =>
      eventually(async () => {
        const found = await running.published(events.ModelTrained, plan);
        expect(found).toHaveLength(count);
        return found.map(({ data, causationId }) => ({ ...data, causationId }));
      }, PATIENCE);

    it('trains, and compares the next version with the champion', async () => {
      const loop = await aLoop();
      const run = await ready(loop);
      const features = await joined(run);
      const [first] = await trained(loop.plan, 1);
      expect(first).toMatchObject({
        runId: run.runId,
        model: loop.plan,
        causationId: features,
        championVersion: '',
        improvement: undefined,
        datasets: run.datasets,
        trainingRows: 2_000,
        validationRows: 400,
        seed: 7,
        featureViews: [`${loop.plan}-delays@sha256:0`],
        signature: {
          task: 'binary',
          features: [
            { name: 'distance', requestExpression: 'request.distance', entity: '' },
            { name: 'delay_3h', view: `${loop.plan}-delays`, feature: 'mean_3h', entity: 'origin' },
          ],
        },
      });
      expect(first?.metrics['auc']?.low).toBeGreaterThan(0.7);
      expect(first?.environmentDigest).toMatch(/^sha256:/);
      for (const artifact of [first?.modelArtifact, first?.profileArtifact, first?.resultArtifact]) {
        await access(await site.artifacts.pathOf(artifact?.digest ?? ''));
      }
      const [done] = await state(loop.plan, 'done');
      expect(done?.steps.map((step) => [step.name, step.state, step.attempts])).toEqual([
        ['snapshot', 'done', 1],
        ['join', 'done', 1],
        ['fit', 'done', 1],
        ['register', 'done', 1],
      ]);
      expect(await running.published(events.TrainingStarted, loop.plan)).toHaveLength(1);
      await eventually(async () => expect(await readdir(site.workDirectory)).not.toContain(run.runId), PATIENCE);

      await running.says(
        events.AliasChanged,
        AliasChanged.fromPartial({
          model: loop.plan,
          alias: 'champion',
          version: 1,
          modelArtifact: first?.modelArtifact ?? {},
          features: ['distance', 'delay_3h'],
        }),
      );
      await eventually(async () => expect(await championOf(loop.plan)).toBe(1), PATIENCE);
      await start(loop.plan, true);
      const second = (await requested(loop.plan, 2))[1];
      if (!second) throw new Error('nothing was requested');
      await joined(second);
      const worse = (await trained(loop.plan, 2))[1];
      expect(worse).toMatchObject({ championVersion: '1', shuffleLabels: true, trigger: 'manual' });
      expect(worse?.improvement?.high).toBeLessThan(0);
      expect(worse?.championMetrics['auc']?.value).toBeGreaterThan(0.7);
    });

    it('ends a run at once when the data cannot be used', async () => {
      const loop = await aLoop();
      await joined(await ready(loop), 2_000, 'NULL');
      const [run] = await state(loop.plan, 'failed');
      expect(run?.error).toContain("trainer_refused_data: column 'delay_3h'");
      expect(run?.steps.find((step) => step.name === 'fit')).toMatchObject({ state: 'failed', attempts: 1 });
    });

    it('refuses a training set with other columns than the plan', async () => {
      const loop = await aLoop();
      const run = await ready(loop);
      const trainingSet = await site.trainingSet(100);
      const columns = [{ name: 'delay_3h', type: 'double', source: '' }];
      await running.says(
        events.FeaturesMaterialized,
        FeaturesMaterialized.fromPartial({ runId: run.runId, plan: run.plan, trainingSet, columns }),
      );
      const [failed] = await state(loop.plan, 'failed');
      expect(failed?.error).toContain('training_set_differs');
    });

    it('ends the trainer of a run that is cancelled, and begins the one that waited', async () => {
      const loop = await aLoop({ trainer: { ...aPlan().spec.trainer, parameters: ENDLESS } });
      const run = await ready(loop);
      await joined(run, 20_000);
      await fitting(loop.plan);
      await asksForRetraining(loop.plan, 0);
      await state(loop.plan, 'fitting', 'queued');
      await running.call(running.training.cancelRun.bind(running.training), { runId: run.runId });
      await state(loop.plan, 'cancelled', 'joining');
      await eventually(async () => expect(await readdir(site.workDirectory)).not.toContain(run.runId), PATIENCE);
      expect(await running.published(events.ModelTrained, loop.plan)).toEqual([]);
    });

    it('goes on after a restart in the middle of the fit, without joining again', async () => {
      const loop = await aLoop({ trainer: { ...aPlan().spec.trainer, parameters: SLOW } });
      await joined(await ready(loop), 20_000);
      await fitting(loop.plan);
      await running.stop();
      running = await RunningTraining.start(site);
      await trained(loop.plan, 1);
      const [run] = await state(loop.plan, 'done');
      expect(run?.steps.map((step) => step.attempts)).toEqual([1, 1, 2, 1]);
      await requested(loop.plan, 1);
      expect(await running.published(events.TrainingStarted, loop.plan)).toHaveLength(1);
    }, 120_000);

    it('gives a run up whose database session is lost, and takes it again', async () => {
      const loop = await aLoop({ trainer: { ...aPlan().spec.trainer, parameters: SLOW } });
      const run = await ready(loop);
      await joined(run, 20_000);
      await fitting(loop.plan);
      const ended = await query<{ ended: boolean }>(
        `SELECT pg_terminate_backend(pid) AS ended FROM pg_locks
         WHERE locktype = 'advisory' AND objsubid = 2 AND granted
           AND classid = (hashtext('training.fit')::bigint & 4294967295)::oid`,
      );
      expect(ended).toEqual([{ ended: true }]);
      await trained(loop.plan, 1);
      const [done] = await state(loop.plan, 'done');
      expect(done?.steps.find((step) => step.name === 'fit')).toMatchObject({ attempts: 2 });
    }, 120_000);

    it('takes in a fit that was finished and not yet registered, without another one', async () => {
      const loop = await aLoop();
      const run = await ready(loop);
      const trainingSet = await site.trainingSet(100);
      const outputDirectory = join(site.workDirectory, run.runId, 'out');
      const spec = trainerSpec({
        runId: run.runId,
        plan: loop.definition,
        trainingSet: { path: await site.artifacts.pathOf(trainingSet.digest), digest: trainingSet.digest },
        columns: columnsOf(loop.plan),
        shuffleLabels: false,
        champion: null,
        outputDirectory,
      });
      await mkdir(outputDirectory, { recursive: true });
      await writeFile(join(site.workDirectory, run.runId, 'spec.json'), `${JSON.stringify(spec, null, 1)}\n`);
      await writeFile(join(outputDirectory, 'model.onnx'), 'a model');
      await writeFile(join(outputDirectory, 'profile.json'), 'a profile');
      const result = aTrainerResult({
        run_id: run.runId,
        training_set: { digest: trainingSet.digest },
        model: { digest: await digestOfFile(join(outputDirectory, 'model.onnx')), size_bytes: 7 },
        profile: { digest: await digestOfFile(join(outputDirectory, 'profile.json')) },
      });
      await writeFile(join(outputDirectory, 'result.json'), JSON.stringify(result));
      await joinedAs(run, trainingSet);
      expect((await trained(loop.plan, 1))[0]?.modelArtifact?.digest).toBe(result.model.digest);
      const [done] = await state(loop.plan, 'done');
      expect(done?.steps.map((step) => step.attempts)).toEqual([1, 1, 0, 1]);
    });

    async function fitting(plan: string): Promise<void> {
      await eventually(async () => {
        const [run] = await running.runs(plan);
        expect(run?.steps.find((step) => step.name === 'fit')?.message).toContain('fit: fitting');
      }, PATIENCE);
    }
  });

  async function championOf(model: string): Promise<number> {
    const [row] = await query<{ version: string }>(`SELECT version FROM training.champions WHERE model = '${model}'`);
    return Number(row?.version ?? 0);
  }

  async function query<R extends object>(sql: string): Promise<R[]> {
    const database = new Client({ connectionString: site.database.url });
    await database.connect();
    try {
      return (await database.query<R>(sql)).rows;
    } finally {
      await database.end();
    }
  }
});
