import { access, mkdir, readdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { digestOfFile } from '@headrace/artifacts';
import { events } from '@headrace/contracts';
import { AliasChanged } from '@headrace/contracts/proto/registry/v1/registry_events';
import { eventually } from '@headrace/testing';
import { trainerSpec } from '../src/domain/trainer-contract';
import { aPlan, aTrainerResult, aView, digestOf } from './builders';
import { findTrainerPython } from './trainer.config';
import { columnsOf, nameOf, PATIENCE, TrainingWorld } from './training-world';

/** Takes long enough to be caught at it. */
const SLOW = { n_estimators: 30, num_leaves: 300, min_child_samples: 5 };
const ENDLESS = { n_estimators: 4_000, num_leaves: 200, min_child_samples: 5 };

describe('training on the real Kafka and Postgres', () => {
  let world: TrainingWorld;

  beforeAll(async () => {
    world = await TrainingWorld.create();
  }, 120_000);

  afterAll(() => world.remove(), 60_000);

  describe('before the trainer', () => {
    it('requests the first training once its spine and its labels have enough rows', async () => {
      const loop = await world.aLoop({ lookback: '1d' });
      await world.commits(loop.departures, 1, 999, 90_000_000_000);
      await world.commits(loop.arrivals, 1, 1_000);
      const spine = await world.commits(loop.departures, 2, 1_000, 90_000_000_000);
      const [first] = await world.requested(loop.plan, 1);
      await world.commits(loop.departures, 3, 5_000);
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
      const [run] = await world.state(loop.plan, 'joining');
      expect(run?.steps.map((step) => [step.name, step.state])).toEqual([
        ['snapshot', 'done'],
        ['join', 'running'],
        ['fit', 'pending'],
        ['register', 'pending'],
      ]);
    });

    it('begins also when the definitions come after the data', async () => {
      const plan = nameOf('after');
      await world.commits(`${plan}-departures`, 1, 1_000);
      await world.commits(`${plan}-arrivals`, 1, 1_000);
      const definition = aPlan(
        {
          spine: { stream: `${plan}-departures`, entities: {} },
          label: { stream: `${plan}-arrivals`, expression: 'record.delay > 15.0' },
          features: [{ name: 'delay_3h', view: `${plan}-delays`, feature: 'mean_3h' }],
        },
        plan,
      );
      await world.running.apply(definition);
      await world.running.defined(aView(`${plan}-delays`, `${plan}-arrivals`));
      await world.requested(plan, 1);
    });

    it('ends a run whose join cannot be made, with the reason', async () => {
      const loop = await world.aLoop();
      const { runId } = await world.ready(loop);
      const failure = await world.running.says(events.FeatureMaterializationFailed, {
        runId,
        plan: loop.plan,
        code: 'no_labels',
        message: 'no row of the spine has a label',
      });
      const [run] = await world.state(loop.plan, 'failed');
      expect(run).toMatchObject({ error: 'no_labels: no row of the spine has a label' });
      const [failed] = await world.running.published(events.TrainingFailed, loop.plan);
      expect(failed).toMatchObject({ causationId: failure, data: { runId, step: 'join', code: 'no_labels' } });
    });

    it('makes a first training that failed once more on newer data', async () => {
      const loop = await world.aLoop();
      const { runId } = await world.ready(loop);
      const none = { runId, plan: loop.plan, code: 'no_rows', message: 'no row of the spine can be used' };
      await world.running.says(events.FeatureMaterializationFailed, none);
      await world.state(loop.plan, 'failed');
      await world.commits(loop.arrivals, 2, 2_000);
      const [, again] = await world.requested(loop.plan, 2);
      expect(again).toMatchObject({ trigger: 'data-volume' });
      await world.state(loop.plan, 'failed', 'joining');
    });

    it('waits for dataset versions that reach the moment of the decision', async () => {
      const loop = await world.aLoop();
      const first = await world.ready(loop);
      await world.cancel(first.runId);
      const cause = await world.asksForRetraining(loop.plan, 500);
      await world.state(loop.plan, 'cancelled', 'requested');
      await world.commits(loop.departures, 2, 2_000, 500);
      await world.state(loop.plan, 'cancelled', 'requested');
      await world.commits(loop.arrivals, 2, 2_000, 501);
      const [, second] = await world.requested(loop.plan, 2);
      expect(second).toMatchObject({
        trigger: 'drift',
        reason: 'psi 0.3',
        requestedBy: `Monitor/${loop.plan}`,
        causationId: cause,
      });
      expect(second?.datasets.map(({ version }) => version)).toEqual([2, 2]);
    });

    it('takes the newest there are when its patience is over', async () => {
      const loop = await world.aLoop();
      const first = await world.ready(loop);
      await world.cancel(first.runId);
      await world.asksForRetraining(loop.plan, 500);
      await world.requested(loop.plan, 2);
      const runs = await world.state(loop.plan, 'cancelled', 'joining');
      expect(runs[1]?.steps[0]?.message).toContain('not as new as asked for');
    });

    it('never runs a plan twice at once: later requests wait and become one', async () => {
      const loop = await world.aLoop();
      const first = await world.ready(loop);
      await world.asksForRetraining(loop.plan, 50, 'psi 0.3');
      await world.state(loop.plan, 'joining', 'queued');
      const last = await world.asksForRetraining(loop.plan, 60, 'psi 0.4');
      await eventually(
        async () => expect((await world.running.runs(loop.plan))[1]?.reason).toBe('psi 0.3; psi 0.4'),
        PATIENCE,
      );
      const { runId } = await world.start(loop.plan, true);
      await world.state(loop.plan, 'joining', 'queued', 'queued');
      expect(await world.start(loop.plan, true)).toEqual({ runId });
      await world.cancel(first.runId);
      await world.state(loop.plan, 'cancelled', 'joining', 'queued');
      expect((await world.requested(loop.plan, 2))[1]).toMatchObject({ reason: 'psi 0.3; psi 0.4', causationId: last });
    });

    it('starts runs for people who may, and says why not otherwise', async () => {
      const loop = await world.aLoop({ triggers: { onRetrainingRequested: false } });
      await expect(world.start(loop.plan, false, 'vera')).rejects.toThrow('data-scientist');
      await expect(world.start('never-heard-of')).rejects.toThrow('unknown');
      await expect(world.start(loop.plan)).rejects.toThrow(
        `no dataset version yet of ${loop.departures}, ${loop.arrivals}`,
      );
      await world.commits(loop.departures, 1, 1_000);
      await world.commits(loop.arrivals, 1, 1_000);
      await world.asksForRetraining(loop.plan, 0);
      const { runId } = await eventually(() => world.start(loop.plan, true), PATIENCE);
      const [run] = await world.requested(loop.plan, 1);
      expect(run).toMatchObject({
        runId,
        trigger: 'manual',
        requestedBy: 'dana',
        reason: 'started by dana',
        shuffleLabels: true,
      });
      await expect(world.cancel(runId, 'vera')).rejects.toThrow('operator');
      await world.cancel(runId);
      await expect(world.cancel(runId)).rejects.toThrow('cancelled already');
      await expect(world.cancel('x')).rejects.toThrow('unknown');
    });
  });

  const python = findTrainerPython();
  const withTrainer = python === undefined ? describe.skip : describe;

  withTrainer(`with the trainer (${python ?? 'skipped: no Python with its packages; set TRAINER_PYTHON'})`, () => {
    it('trains, and compares the next version with the champion', async () => {
      const loop = await world.aLoop();
      const run = await world.ready(loop);
      const features = await world.joined(run);
      const [first] = await world.trained(loop.plan, 1);
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
        await access(await world.site.artifacts.pathOf(artifact?.digest ?? ''));
      }
      const [done] = await world.state(loop.plan, 'done');
      expect(done?.steps.map((step) => [step.name, step.state, step.attempts])).toEqual([
        ['snapshot', 'done', 1],
        ['join', 'done', 1],
        ['fit', 'done', 1],
        ['register', 'done', 1],
      ]);
      expect(await world.running.published(events.TrainingStarted, loop.plan)).toHaveLength(1);
      await eventually(async () => expect(await readdir(world.site.workDirectory)).not.toContain(run.runId), PATIENCE);

      await world.running.says(
        events.AliasChanged,
        AliasChanged.fromPartial({
          model: loop.plan,
          alias: 'champion',
          version: 1,
          modelArtifact: first?.modelArtifact ?? {},
          features: ['distance', 'delay_3h'],
        }),
      );
      await eventually(async () => expect(await world.championOf(loop.plan)).toBe(1), PATIENCE);
      await world.start(loop.plan, true);
      const second = (await world.requested(loop.plan, 2))[1];
      if (!second) throw new Error('nothing was requested');
      await world.joined(second);
      const worse = (await world.trained(loop.plan, 2))[1];
      expect(worse).toMatchObject({ championVersion: '1', shuffleLabels: true, trigger: 'manual' });
      expect(worse?.improvement?.high).toBeLessThan(0);
      expect(worse?.championMetrics['auc']?.value).toBeGreaterThan(0.7);
    });

    it('ends a run at once when the data cannot be used', async () => {
      const loop = await world.aLoop();
      await world.joined(await world.ready(loop), 2_000, 'NULL');
      const [run] = await world.state(loop.plan, 'failed');
      expect(run?.error).toContain("trainer_refused_data: column 'delay_3h'");
      expect(run?.steps.find((step) => step.name === 'fit')).toMatchObject({ state: 'failed', attempts: 1 });
    });

    it('refuses a training set with other columns than the plan', async () => {
      const loop = await world.aLoop();
      const run = await world.ready(loop);
      const trainingSet = await world.site.trainingSet(100);
      await world.joinedAs(run, trainingSet, [{ name: 'delay_3h', type: 'double', source: '' }]);
      const [failed] = await world.state(loop.plan, 'failed');
      expect(failed?.error).toContain('training_set_differs');
    });

    it('ends the trainer of a run that is cancelled, and begins the one that waited', async () => {
      const loop = await world.aLoop({ trainer: { ...aPlan().spec.trainer, parameters: ENDLESS } });
      const run = await world.ready(loop);
      await world.joined(run, 20_000);
      await world.fitting(loop.plan);
      await world.asksForRetraining(loop.plan, 0);
      await world.state(loop.plan, 'fitting', 'queued');
      await world.cancel(run.runId);
      await world.state(loop.plan, 'cancelled', 'joining');
      await eventually(async () => expect(await readdir(world.site.workDirectory)).not.toContain(run.runId), PATIENCE);
      expect(await world.running.published(events.ModelTrained, loop.plan)).toEqual([]);
    });

    it('goes on after a restart in the middle of the fit, without joining again', async () => {
      const loop = await world.aLoop({ trainer: { ...aPlan().spec.trainer, parameters: SLOW } });
      await world.joined(await world.ready(loop), 20_000);
      await world.fitting(loop.plan);
      await world.restart();
      await world.trained(loop.plan, 1);
      const [run] = await world.state(loop.plan, 'done');
      expect(run?.steps.map((step) => step.attempts)).toEqual([1, 1, 2, 1]);
      await world.requested(loop.plan, 1);
      expect(await world.running.published(events.TrainingStarted, loop.plan)).toHaveLength(1);
    }, 120_000);

    it('gives a run up whose database session is lost, and takes it again', async () => {
      const loop = await world.aLoop({ trainer: { ...aPlan().spec.trainer, parameters: SLOW } });
      const run = await world.ready(loop);
      await world.joined(run, 20_000);
      await world.fitting(loop.plan);
      const ended = await world.query<{ ended: boolean }>(
        `SELECT pg_terminate_backend(pid) AS ended FROM pg_locks
         WHERE locktype = 'advisory' AND objsubid = 2 AND granted
           AND classid = (hashtext('training.fit')::bigint & 4294967295)::oid`,
      );
      expect(ended).toEqual([{ ended: true }]);
      await world.trained(loop.plan, 1);
      const [done] = await world.state(loop.plan, 'done');
      expect(done?.steps.find((step) => step.name === 'fit')).toMatchObject({ attempts: 2 });
    }, 120_000);

    it('takes in a fit that was finished and not yet registered, without another one', async () => {
      const loop = await world.aLoop();
      const run = await world.ready(loop);
      const trainingSet = await world.site.trainingSet(100);
      const outputDirectory = join(world.site.workDirectory, run.runId, 'out');
      const spec = trainerSpec({
        runId: run.runId,
        plan: loop.definition,
        trainingSet: { path: await world.site.artifacts.pathOf(trainingSet.digest), digest: trainingSet.digest },
        columns: columnsOf(loop.plan),
        shuffleLabels: false,
        champion: null,
        outputDirectory,
      });
      await mkdir(outputDirectory, { recursive: true });
      await writeFile(join(world.site.workDirectory, run.runId, 'spec.json'), `${JSON.stringify(spec, null, 1)}\n`);
      await writeFile(join(outputDirectory, 'model.onnx'), 'a model');
      await writeFile(join(outputDirectory, 'profile.json'), 'a profile');
      const result = aTrainerResult({
        run_id: run.runId,
        training_set: { digest: trainingSet.digest },
        model: { digest: await digestOfFile(join(outputDirectory, 'model.onnx')), size_bytes: 7 },
        profile: { digest: await digestOfFile(join(outputDirectory, 'profile.json')) },
      });
      await writeFile(join(outputDirectory, 'result.json'), JSON.stringify(result));
      await world.joinedAs(run, trainingSet);
      expect((await world.trained(loop.plan, 1))[0]?.modelArtifact?.digest).toBe(result.model.digest);
      const [done] = await world.state(loop.plan, 'done');
      expect(done?.steps.map((step) => step.attempts)).toEqual([1, 1, 0, 1]);
    });
  });
});
