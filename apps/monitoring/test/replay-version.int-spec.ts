import { join } from 'node:path';
import { events } from '@headrace/contracts';
import type {
  ReplayVersionRequest,
  ReplayVersionResponse,
} from '@headrace/contracts/proto/monitoring/v1/monitoring_service';
import { ModelVersionRegistered, type ReplayRequested } from '@headrace/contracts/proto/registry/v1/registry_events';
import { ModelTrained } from '@headrace/contracts/proto/training/v1/training_events';
import { stringValue } from '@headrace/definitions';
import { MICROS } from '@headrace/event-time';
import type { CallContext } from '@headrace/grpc';
import { ModelProcess } from '@headrace/scoring';
import { eventually } from '@headrace/testing';
import { DAY_ONE, randomFrom, type Case } from './builders';
import { exposed } from './exposed';
import { MonitoringSystem } from './running-monitoring';

const MODEL = join(__dirname, '../../inference-gateway/test/fixtures/flight-like.onnx');
const NAMES = Array.from({ length: 11 }, (_, index) => `f${index}`);
const PATIENT = { timeoutMs: 40_000 };
const context = { remainingMs: () => 60_000 } as CallContext;

describe('replaying a version on past requests, on the real log and database', () => {
  jest.setTimeout(120_000);
  const system = new MonitoringSystem();
  let requests: Case[];
  let scores: Float64Array;

  beforeAll(async () => {
    await system.start();
    await system.define({ window: '1d', minimumSample: 100 }, { block: '1h', minimumPairsOfBlock: 10 });
    const random = randomFrom(5);
    const features = Array.from({ length: 1_200 * NAMES.length }, () => Math.fround(random() * 600));
    const model = await ModelProcess.start({
      path: MODEL,
      columns: NAMES.length,
      task: 'binary',
      limits: { timeoutMs: 30_000, memoryMiB: 1_024 },
      child: {
        script: join(__dirname, '../../../libs/scoring/src/model-child.ts'),
        execArgv: ['--require', join(__dirname, '../../../libs/testing/jest/run-sources.cjs')],
      },
    });
    scores = await model.score(Float32Array.from(features), 1_200);
    model.stop();
    // Four days; the truth follows version 2, and what was answered did not know it.
    requests = Array.from({ length: 1_200 }, (_, index): Case => {
      const asOfMicros = DAY_ONE + Math.floor((index / 300) * MICROS.d);
      return {
        predictionId: `r-${String(index).padStart(5, '0')}`,
        key: `key-${index}`,
        asOfMicros,
        labelTimeMicros: asOfMicros + MICROS.m,
        features: features.slice(index * NAMES.length, (index + 1) * NAMES.length),
        score: 0.5,
        label: random() < (scores[index] ?? 0) ? 1 : 0,
      };
    });
    await system.predictions(requests, (one) => ({
      // Another order than the signature's.
      featureNames: [...NAMES].reverse(),
      featureValues: [...one.features].reverse(),
      entities: { origin: Number(one.key.slice(4)) % 3 === 0 ? 'ATL' : 'ORD' },
      request: { carrier: stringValue('X') },
    }));
    await system.labels(requests.slice(0, 1_150));
    await train('run-2', 2, DAY_ONE - 1);
    await train('run-3', 3, DAY_ONE + 2 * MICROS.d);
    await eventually(async () => expect((await replay({ version: 3 })).overall?.rows).toBeGreaterThan(500), PATIENT);
    await eventually(async () => expect((await replay({})).overall?.rows).toBe(1_150), PATIENT);
  }, 120_000);

  afterAll(() => system.stop(), 30_000);

  /** The registration comes before the training: events of two topics have no order. */
  async function train(run: string, version: number, trainToMicros: number): Promise<void> {
    const runId = `${run}-of-${system.name}`;
    const model = system.name;
    await system.publish(events.ModelVersionRegistered, [
      ModelVersionRegistered.fromPartial({ model, version, runId }),
    ]);
    await system.publish(events.ModelTrained, [
      ModelTrained.fromPartial({
        runId,
        model,
        trainToMicros,
        modelArtifact: await system.putModel(MODEL),
        signature: { task: 'binary', features: NAMES.map((name) => ({ name, view: 'v', feature: name })) },
      }),
    ]);
  }

  function replay(request: Partial<ReplayVersionRequest>): Promise<ReplayVersionResponse> {
    const whole = {
      endpoint: system.name,
      version: 2,
      fromEventTimeMicros: 0,
      toEventTimeMicros: 0,
      sinceMicros: 0,
      slices: [],
      includeTraining: false,
    };
    return system.grpc.replayVersion({ ...whole, ...request }, context);
  }

  it('says what the version would have answered to the requests whose labels have come, and how sure that is', async () => {
    const { overall, loss, rowsInTraining, firstEventTimeMicros, lastEventTimeMicros } = await replay({});
    expect({ loss, rowsInTraining, rows: overall?.rows }).toEqual({ loss: 'brier', rowsInTraining: 0, rows: 1_150 });
    expect([firstEventTimeMicros, lastEventTimeMicros]).toEqual([DAY_ONE, requests[1_149]?.asOfMicros]);
    const brier = requests
      .slice(0, 1_150)
      .reduce((sum, { label }, index) => sum + ((scores[index] ?? NaN) - label) ** 2 / 1_150, 0);
    expect(overall?.replayed['brier']?.value).toBeCloseTo(brier, 12);
    expect(overall?.served['brier']?.value).toBeCloseTo(0.25, 12);
    expect(overall?.improvement?.value).toBeCloseTo(0.25 - brier, 12);
    expect(overall?.improvement?.low).toBeGreaterThan(0);
    expect(overall?.improvement?.low).toBeLessThan(overall?.improvement?.value ?? 0);
    expect(overall?.improvement?.high).toBeGreaterThan(overall?.improvement?.value ?? 1);
    expect(overall?.blocks).toBe(92);
  });

  it('reports by entity, by the parts of a feature, and since a while before the newest', async () => {
    const { overall, groups } = await replay({ sinceMicros: MICROS.d, slices: ['origin', 'f3'] });
    expect(overall?.rows).toBe(301);
    const origins = groups.filter(({ slice }) => slice === 'origin');
    expect(origins.map(({ value, rows }) => [value, rows])).toEqual([
      ['ORD', 200],
      ['ATL', 101],
    ]);
    const parts = groups.filter(({ slice }) => slice === 'f3');
    expect(parts).toHaveLength(4);
    expect(parts.reduce((sum, { rows }) => sum + rows, 0)).toBe(301);
    // Too few blocks say nothing: an interval without ends, not a narrow one.
    const [few] = (await replay({ sinceMicros: MICROS.h })).groups;
    expect(few).toBeUndefined();
    expect((await replay({ sinceMicros: 3 * MICROS.h })).overall?.improvement?.low).toBe(-Infinity);
  });

  it('leaves out what the version was trained on, unless it is asked not to', async () => {
    const without = await replay({ version: 3 });
    const { rowsInTraining, overall } = without;
    expect(rowsInTraining).toBe(601);
    expect(overall?.rows).toBe(1_150 - 601);
    expect((await replay({ version: 3, includeTraining: true })).overall?.rows).toBe(1_150);
    await expect(replay({ version: 3, toEventTimeMicros: DAY_ONE + MICROS.d })).rejects.toThrow(
      'all 300 labelled requests',
    );
  });

  it('says what cannot be replayed', async () => {
    await expect(replay({ endpoint: 'nowhere' })).rejects.toThrow('no monitor watches "nowhere"');
    await expect(replay({ version: 9 })).rejects.toThrow(`model "${system.name}" has no version 9`);
    await expect(replay({ slices: ['runway'] })).rejects.toThrow(
      'requests have no "runway": expected one of carrier, f0',
    );
    await expect(replay({ sinceMicros: 5, fromEventTimeMicros: 7 })).rejects.toThrow('expected either');
    await expect(replay({ fromEventTimeMicros: DAY_ONE + 9 * MICROS.d })).rejects.toThrow('no labelled requests');
    const runId = `run-4-of-${system.name}`;
    const model = system.name;
    await system.publish(events.ModelVersionRegistered, [
      ModelVersionRegistered.fromPartial({ model, version: 4, runId }),
    ]);
    await system.publish(events.ModelTrained, [
      ModelTrained.fromPartial({
        runId,
        model,
        modelArtifact: await system.putModel(MODEL),
        signature: { task: 'binary', features: [...NAMES.slice(1), 'gusts'].map((name) => ({ name })) },
      }),
    ]);
    await eventually(() => expect(replay({ version: 4 })).rejects.toThrow('the version needs gusts'), PATIENT);
    const both = await Promise.allSettled([replay({}), replay({})]);
    expect(both.map(({ status }) => status).sort()).toEqual(['fulfilled', 'rejected']);
  });

  const LATER = 4_000_000_000_000_000;

  function ask(gate: string, fields: Partial<ReplayRequested>): Promise<void> {
    const asked = { model: system.name, version: 2, gate, endpoint: system.name, sinceMicros: 4 * MICROS.d };
    const rules = { minimumRows: 100, metric: 'improvement', bound: 'low', deadlineMicros: LATER };
    return system.publish(events.ReplayRequested, [{ ...asked, ...rules, ...fields }]);
  }

  function answered(gate: string) {
    return eventually(() => {
      const found = system.heardOf(events.ReplayCompleted).filter(({ data }) => data.gate === gate);
      expect(found).toHaveLength(1);
      return Promise.resolve(found[0]?.data);
    }, PATIENT);
  }

  it('answers a gate as the command would, and at its deadline says why it cannot', async () => {
    await ask('improves', {});
    const { overall } = await replay({ sinceMicros: 4 * MICROS.d });
    const told = await answered('improves');
    expect(told).toMatchObject({ version: 2, rows: 1_150, reason: '' });
    expect(told?.measured).toEqual(overall?.improvement);
    await ask('ranks', { metric: 'auc' });
    expect((await answered('ranks'))?.measured).toEqual(overall?.replayed['auc']);
    await ask('too_late', { minimumRows: 5_000, deadlineMicros: 1 });
    expect(await answered('too_late')).toMatchObject({
      measured: undefined,
      reason: '1150 labelled requests outside of its training, 5000 are needed',
    });
    await ask('unknown', { endpoint: 'nowhere', deadlineMicros: 1 });
    expect((await answered('unknown'))?.reason).toContain('no monitor watches "nowhere"');
    await ask('few_blocks', { sinceMicros: 3 * MICROS.h, minimumRows: 30, deadlineMicros: 1 });
    expect((await answered('few_blocks'))?.measured).toBeUndefined();
  });

  it('waits for labels with its gate, also over a restart, and answers once', async () => {
    await ask('waits', { minimumRows: 1_200 });
    await ask('waits', { minimumRows: 1_200 });
    // Behind it in the same partition: when this is answered, that was taken up.
    await ask('behind', { deadlineMicros: 1, minimumRows: 5_000 });
    await answered('behind');
    const waiting = () => exposed('headrace_monitoring_gate_replays_waiting', { model: system.name });
    await eventually(async () => expect(await waiting()).toBe(1), PATIENT);
    await system.stopService();
    await system.startService();
    await system.labels(requests.slice(1_150));
    expect(await answered('waits')).toMatchObject({ rows: 1_200, reason: '' });
    await ask('at_last', {});
    await answered('at_last');
    expect(system.heardOf(events.ReplayCompleted).filter(({ data }) => data.gate === 'waits')).toHaveLength(1);
    await eventually(async () => expect(await waiting()).toBeNaN(), PATIENT);
    const counted = (outcome: string) =>
      exposed('headrace_monitoring_gate_replays_total', { model: system.name, outcome });
    expect([await counted('measured'), await counted('inconclusive')]).toEqual([4, 4]);
  });
});
