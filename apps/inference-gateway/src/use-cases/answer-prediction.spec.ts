import { DomainError } from '@headrace/contracts';
import { FeatureStatus } from '@headrace/contracts/proto/features/v1/features_service';
import type { PredictionServed } from '@headrace/contracts/proto/inference/v1/inference_events';
import { VersionRole, type DeploymentChanged } from '@headrace/contracts/proto/registry/v1/registry_events';
import { stringValue } from '@headrace/definitions';
import { eventually } from '@headrace/testing';
import {
  aColumn,
  aDeployedVersion,
  aDeployment,
  aDeploymentChanged,
  aPairedRollout,
  aPredictRequest,
  aVector,
  FirstFeatureModel,
  flightColumns,
} from '../../test/builders';
import { planInputs } from '../domain/input-plan';
import type { FetchOutcome } from '../grpc-out/feature-fetcher';
import { MicroBatcher } from '../models/micro-batcher';
import { ActiveDeployment, type ServedVersion } from '../serving/active-deployment';
import { ServingTable } from '../serving/serving-table';
import { AnswerPrediction, type Features, type PredictionObserver } from './answer-prediction';

const NOW = 990_000_000_000_000;

function setUp(options: {
  changed?: DeploymentChanged;
  outcome?: FetchOutcome | ((columns: readonly string[]) => FetchOutcome | Promise<FetchOutcome>);
  /** Versions that fail when they run. */
  broken?: number[];
}) {
  const deployment = aDeployment(options.changed ?? aDeploymentChanged());
  const plans = new Map<string, ReturnType<typeof planInputs>>();
  const versions = deployment.versions.map((version): ServedVersion => {
    const key = JSON.stringify(version.signature.features);
    const inputs = plans.get(key) ?? planInputs(version.signature.features);
    plans.set(key, inputs);
    const model = new FirstFeatureModel(version.signature.features.length, (features) => {
      if (options.broken?.includes(version.number)) throw new Error(`version ${version.number} is broken`);
      // Each version has its own score: its number above the first feature.
      for (let index = 0; index < features.length; index += features.length) features[index] = version.number / 10;
    });
    const batcher = new MicroBatcher(model, { maxBatchRows: 64, maxQueuedRows: 100 });
    const { number, role, weight } = version;
    return { number, role, weight, task: 'binary', inputs, loaded: { key: String(number), model, batcher } };
  });
  const [champion, ...others] = versions;
  if (!champion) throw new Error('no version');
  const table = new ServingTable();
  table.want(deployment);
  table.activate(new ActiveDeployment(deployment, [champion, ...others]));
  table.markCaughtUp();

  const fetches: { columns: readonly string[]; timeoutMs: number; trace: string | undefined }[] = [];
  const traces: (string | undefined)[] = [];
  const features: Features = {
    fetch: (plan, _row, timeoutMs, trace) => {
      fetches.push({ columns: plan.names, timeoutMs, trace });
      const { outcome = { kind: 'features', vector: aVector() } } = options;
      return Promise.resolve(typeof outcome === 'function' ? outcome(plan.names) : outcome);
    },
  };
  const log: PredictionServed[] = [];
  const fallbacks: string[] = [];
  const failures: { version: number; assigned: boolean }[] = [];
  const asked: { version: number; failed: boolean }[] = [];
  const observer: PredictionObserver = {
    served: (event, _sampleRate, _cause, trace) => {
      log.push(event);
      traces.push(trace);
    },
    featuresWaited: () => undefined,
    fallback: (_, reason) => fallbacks.push(reason),
    versionFailed: (_, version, assigned) => failures.push({ version, assigned }),
    versionAsked: (_, version, error) => asked.push({ version, failed: error !== undefined }),
  };
  const answer = new AnswerPrediction(table, features, observer, () => NOW);
  return { answer, fetches, log, traces, fallbacks, failures, asked };
}

function withoutFallback(changed = aDeploymentChanged()): DeploymentChanged {
  const { behaviour } = changed;
  if (!behaviour) throw new Error('the builder gives a behaviour');
  return { ...changed, behaviour: { ...behaviour, fallback: undefined } };
}

const statusesWith = (status: FeatureStatus): FetchOutcome => ({
  kind: 'features',
  vector: aVector({ statuses: flightColumns.map((_, index) => (index === 4 ? status : FeatureStatus.PRESENT)) }),
});

describe('answering a prediction by entity', () => {
  it('answers with the score, the features as they came, and logs the same', async () => {
    const { answer, log } = setUp({});
    const { response } = await answer.answer(aPredictRequest({ predictionId: 'flight-1' }), Infinity);
    expect(response).toMatchObject({ predictionId: 'flight-1', version: 1, assignment: 'champion', fallback: false });
    expect(response.output).toBeCloseTo(0.1);
    expect(response.features.map(({ value }) => value)).toEqual(aVector().values);
    expect(log).toHaveLength(1);
    expect(log[0]).toMatchObject({
      predictionId: 'flight-1',
      joinKey: 'f-1',
      asOfMicros: aPredictRequest().asOfMicros,
      servedAtMicros: NOW,
      featureNames: flightColumns.map(({ name }) => name),
      featureValues: aVector().values,
      watermarkMicros: aVector().watermarkMicros,
      output: response.output,
      deploymentGeneration: 1,
      entities: { origin: 'ATL', destination: 'ORD' },
    });
  });

  it("asks for features and logs in the caller's trace, also when it falls back", async () => {
    const trace = `00-${'a'.repeat(32)}-${'b'.repeat(16)}-01`;
    const good = setUp({});
    await good.answer.answer(aPredictRequest(), Infinity, trace);
    expect([good.fetches[0]?.trace, good.traces]).toEqual([trace, [trace]]);
    const late = setUp({ outcome: { kind: 'late' } });
    await late.answer.answer(aPredictRequest(), Infinity, trace);
    expect(late.traces).toEqual([trace]);
  });

  it('makes an id when the caller gives none', async () => {
    const { answer } = setUp({});
    const { response } = await answer.answer(aPredictRequest(), Infinity);
    expect(response.predictionId).toMatch(/^[0-9a-f-]{36}$/);
  });

  it('hands missing features to the model', async () => {
    const { answer } = setUp({ outcome: statusesWith(FeatureStatus.MISSING) });
    const { response } = await answer.answer(aPredictRequest(), Infinity);
    expect(response).toMatchObject({ version: 1, fallback: false });
  });

  it('waits for features no longer than the endpoint allows, and within the caller’s deadline', async () => {
    const { answer, fetches } = setUp({});
    await answer.answer(aPredictRequest(), Infinity);
    await answer.answer(aPredictRequest(), 520);
    await answer.answer(aPredictRequest(), 5);
    expect(fetches.map(({ timeoutMs }) => timeoutMs)).toEqual([2_000, 500, 1]);
  });

  it.each<[string, FetchOutcome, string]>([
    ['late', { kind: 'late' }, 'feature_timeout'],
    ['stale', statusesWith(FeatureStatus.STALE), 'feature_timeout'],
    ['expired', statusesWith(FeatureStatus.EXPIRED), 'feature_expired'],
    ['unobtainable', { kind: 'away', message: 'no connection' }, 'feature_store_unavailable'],
  ])('answers with the declared fallback when features are %s, else not at all', async (_, outcome, reason) => {
    const { answer, log, fallbacks } = setUp({ outcome });
    const { response } = await answer.answer(aPredictRequest(), Infinity);
    expect(response).toMatchObject({ output: 0.2, version: 0, assignment: '', fallback: true, fallbackReason: reason });
    expect(log[0]).toMatchObject({ version: 0, fallback: true, fallbackReason: reason, joinKey: 'f-1' });
    expect(fallbacks).toEqual([reason]);

    const bare = setUp({ outcome, changed: withoutFallback() });
    await expect(bare.answer.answer(aPredictRequest(), Infinity)).rejects.toMatchObject({ kind: 'unavailable' });
    expect(bare.log).toEqual([]);
  });

  it('passes on what the feature store refuses', async () => {
    const { answer } = setUp({ outcome: { kind: 'refused', message: 'origin is no airport' } });
    const refused = answer.answer(aPredictRequest(), Infinity);
    await expect(refused).rejects.toMatchObject({ kind: 'invalid' });
    await expect(refused).rejects.toThrow('origin is no airport');
  });

  it('names the missing field before it asks anybody', async () => {
    const { answer, fetches } = setUp({});
    await expect(answer.answer(aPredictRequest({ entities: {} }), Infinity)).rejects.toThrow(DomainError);
    expect(fetches).toEqual([]);
  });

  it('falls back when the model gives no answer', async () => {
    const { answer, log } = setUp({ broken: [1] });
    const { response } = await answer.answer(aPredictRequest(), Infinity);
    expect(response).toMatchObject({ fallback: true, fallbackReason: 'model_error' });
    expect(log).toHaveLength(1);
  });
});

describe('a paired rollout', () => {
  it('scores every request by both versions; the assigned one answers', async () => {
    const { answer, log, fetches } = setUp({ changed: aPairedRollout(20) });
    for (let index = 0; index < 100; index += 1) await answer.answer(aPredictRequest(), Infinity);
    await eventually(() => expect(log).toHaveLength(100));
    const canary = log.filter(({ assignment }) => assignment === 'canary');
    expect(canary).toHaveLength(20);
    for (const { version, output, shadowScores, rolloutId } of log) {
      const other = version === 1 ? 2 : 1;
      expect(output).toBeCloseTo(version / 10);
      expect(shadowScores).toEqual([{ version: other, output: expect.closeTo(other / 10) }]);
      expect(rolloutId).toBe('rollout-1');
    }
    expect(fetches).toHaveLength(100);
  });

  it('tells how each version fared, and blames none for what nobody could answer', async () => {
    const { answer, asked } = setUp({ changed: aPairedRollout(50), broken: [2] });
    for (let index = 0; index < 10; index += 1) await answer.answer(aPredictRequest(), Infinity);
    await eventually(() => expect(asked).toHaveLength(20));
    expect(asked.filter(({ version, failed }) => version === 1 && !failed)).toHaveLength(10);
    expect(asked.filter(({ version, failed }) => version === 2 && failed)).toHaveLength(10);

    const away = setUp({ changed: aPairedRollout(50), outcome: { kind: 'away', message: 'no connection' } });
    for (let index = 0; index < 4; index += 1) await away.answer.answer(aPredictRequest(), Infinity);
    await eventually(() => expect(away.log).toHaveLength(4));
    expect(away.asked).toEqual([]);
  });

  it('tells nothing where no rollout is in progress', async () => {
    const { answer, asked } = setUp({});
    await answer.answer(aPredictRequest(), Infinity);
    expect(asked).toEqual([]);
  });

  it('answers untouched when the shadow fails', async () => {
    const { answer, log, failures } = setUp({ changed: aPairedRollout(20), broken: [2] });
    for (let index = 0; index < 10; index += 1) {
      const { response } = await answer.answer(aPredictRequest(), Infinity);
      expect(response).toMatchObject({ version: 1, assignment: 'champion', fallback: false });
    }
    await eventually(() => expect(failures).toHaveLength(10));
    expect(log.every(({ shadowScores }) => shadowScores.length === 0)).toBe(true);
    expect(failures.filter(({ assigned }) => assigned)).toHaveLength(2);
    expect(failures.filter(({ assigned }) => !assigned)).toHaveLength(8);
  });

  it('keeps the canary’s score when it was assigned, and the champion’s beside it', async () => {
    const { answer, log } = setUp({ changed: aPairedRollout(100) });
    await answer.answer(aPredictRequest(), Infinity);
    await eventually(() => expect(log).toHaveLength(1));
    expect(log[0]).toMatchObject({ version: 2, assignment: 'canary', shadowScores: [{ version: 1 }] });
  });

  it('lets the champion answer when only the canary’s own features or fields cannot be had', async () => {
    const changed = aPairedRollout(100);
    const [champion, canary] = changed.versions;
    if (!champion || !canary?.signature) throw new Error('the builder gives two versions');
    const features = [
      aColumn('weather', { view: 'weather', feature: 'wind', entity: 'origin' }),
      aColumn('gate', { view: '', feature: '', entity: '', requestExpression: 'request.gate' }),
    ];
    const versions = [champion, { ...canary, signature: { ...canary.signature, features } }];
    const outcome = (columns: readonly string[]): FetchOutcome =>
      columns.includes('weather')
        ? { kind: 'refused', message: 'no such view' }
        : { kind: 'features', vector: aVector() };
    const { answer, log } = setUp({ changed: { ...changed, versions }, outcome });
    const { response } = await answer.answer(aPredictRequest(), Infinity);
    expect(response).toMatchObject({ version: 1, assignment: 'champion', fallback: false });
    expect(log[0]?.shadowScores).toEqual([]);
  });

  it('does not let the caller wait for the shadow', async () => {
    const changed = aPairedRollout(20);
    const [champion, canary] = changed.versions;
    if (!champion || !canary?.signature) throw new Error('the builder gives two versions');
    const features = [aColumn('weather', { view: 'weather', feature: 'wind' })];
    const versions = [champion, { ...canary, signature: { ...canary.signature, features } }];
    let letGo = (): void => undefined;
    const slow = new Promise<FetchOutcome>((resolve) => (letGo = () => resolve({ kind: 'late' })));
    const outcome = (columns: readonly string[]): FetchOutcome | Promise<FetchOutcome> =>
      columns.includes('weather') ? slow : { kind: 'features', vector: aVector() };
    const { answer, log } = setUp({ changed: { ...changed, versions }, outcome });
    const { response } = await answer.answer(aPredictRequest(), Infinity);
    expect(response).toMatchObject({ version: 1, fallback: false });
    expect(log).toEqual([]);
    letGo();
    await eventually(() => expect(log).toHaveLength(1));
  });

  it('scores by the assigned version alone when the rollout is not paired', async () => {
    const changed = aPairedRollout(20);
    const rollout = changed.rollout && { ...changed.rollout, paired: false };
    const { answer, log } = setUp({ changed: { ...changed, rollout } });
    for (let index = 0; index < 10; index += 1) await answer.answer(aPredictRequest(), Infinity);
    expect(log.every(({ shadowScores }) => shadowScores.length === 0)).toBe(true);
    expect(log.filter(({ version }) => version === 2)).toHaveLength(2);
  });
});

describe('a shadow', () => {
  const shadowed = (): DeploymentChanged => {
    const changed = aPairedRollout(0);
    const [champion, candidate] = changed.versions;
    if (!champion || !candidate) throw new Error('the builder gives two versions');
    return { ...changed, versions: [champion, { ...candidate, role: VersionRole.SHADOW }] };
  };

  it('never answers; its score stands beside the answer', async () => {
    const { answer, log } = setUp({ changed: shadowed() });
    for (let index = 0; index < 200; index += 1) {
      const { response } = await answer.answer(aPredictRequest(), Infinity);
      expect(response).toMatchObject({ version: 1, assignment: 'champion' });
    }
    await eventually(() => expect(log).toHaveLength(200));
    expect(log.every(({ shadowScores }) => shadowScores[0]?.version === 2)).toBe(true);
  });

  it('does not answer for a champion that fails', async () => {
    const { answer } = setUp({ changed: shadowed(), broken: [1] });
    const { response } = await answer.answer(aPredictRequest(), Infinity);
    expect(response).toMatchObject({ fallback: true, fallbackReason: 'model_error', output: 0.2 });
  });
});

describe('an A/B rollout', () => {
  const aTest = (weight: number): DeploymentChanged => {
    const changed = aPairedRollout(weight);
    const rollout = changed.rollout && { ...changed.rollout, strategy: 'ab', assignmentUnit: 'customer' };
    return { ...changed, rollout };
  };
  const asks = (customer: string) => {
    const request = aPredictRequest();
    return { ...request, request: { ...request.request, customer: stringValue(customer) } };
  };

  it('answers the same customer by the same version, from every gateway, and moves only whom more weight moves', async () => {
    const gateways = [setUp({ changed: aTest(30) }), setUp({ changed: aTest(30) }), setUp({ changed: aTest(60) })];
    const sides = [];
    for (let customer = 0; customer < 200; customer += 1) {
      const versions = [];
      for (const { answer } of gateways) {
        versions.push((await answer.answer(asks(`customer-${customer}`), Infinity)).response.version);
      }
      sides.push(versions);
    }
    expect(sides.every(([one, other]) => one === other)).toBe(true);
    expect(sides.every(([before, , after]) => before === 1 || after === 2)).toBe(true);
    expect(new Set(sides.map(([, , after]) => after))).toEqual(new Set([1, 2]));
  });

  it('says which field it misses', async () => {
    const { answer } = setUp({ changed: aTest(30) });
    await expect(answer.answer(aPredictRequest(), Infinity)).rejects.toThrow('request["customer"] is missing');
  });
});

describe('an endpoint without a loaded version', () => {
  it('is asked again later while it loads, and falls back once it cannot be loaded', async () => {
    const { answer } = setUp({});
    const table = new ServingTable();
    const features: Features = { fetch: () => Promise.reject(new Error('nobody asks')) };
    const observer: PredictionObserver = {
      served: () => undefined,
      featuresWaited: () => undefined,
      fallback: () => undefined,
      versionFailed: () => undefined,
      versionAsked: () => undefined,
    };
    const early = new AnswerPrediction(table, features, observer, () => NOW);
    await expect(early.answer(aPredictRequest(), Infinity)).rejects.toMatchObject({ kind: 'unavailable' });
    table.markCaughtUp();
    await expect(early.answer(aPredictRequest(), Infinity)).rejects.toMatchObject({ kind: 'not-found' });
    table.want(aDeployment(aDeploymentChanged({ versions: [aDeployedVersion(1)] })));
    await expect(early.answer(aPredictRequest(), Infinity)).rejects.toMatchObject({ kind: 'unavailable' });
    table.refuse('late-arrival', { version: 1, code: 'crashed', message: 'SIGSEGV' });
    const { response } = await early.answer(aPredictRequest(), Infinity);
    expect(response).toMatchObject({ fallback: true, fallbackReason: 'model_error', output: 0.2 });
    await expect(answer.answer(aPredictRequest({ endpoint: 'other' }), Infinity)).rejects.toMatchObject({
      kind: 'not-found',
    });
  });
});
