import {
  GuardrailAction,
  VersionRole,
  type DeploymentChanged,
  type Guardrails,
} from '@headrace/contracts/proto/registry/v1/registry_events';
import { serving, type ServingOptions } from '../../test/answering';
import {
  aDeployedVersion,
  aDeploymentChanged,
  anInferRequest,
  aPairedRollout,
  flightColumns,
} from '../../test/builders';
import { parameterOf, readMessage } from '../open-inference/tensor-request';
import { InferTensors, type TensorAnswer, type TensorObserver } from './infer-tensors';

const { FLAG, FALLBACK_MODEL, DEFAULT, REFUSE } = GuardrailAction;

function guarded(rules: Partial<Guardrails>, changed = aDeploymentChanged()): DeploymentChanged {
  const { behaviour } = changed;
  if (!behaviour) throw new Error('the builder gives a behaviour');
  const none = { outsideProfile: undefined, lowConfidence: undefined, missingFeatures: undefined, fallbackVersion: 0 };
  return { ...changed, behaviour: { ...behaviour, guardrails: { ...none, ...rules } } };
}
const unsure = (action: GuardrailAction): Partial<Guardrails> => ({ lowConfidence: { action, below: 0.8 } });
const withStandIn = (rules: Partial<Guardrails>): DeploymentChanged => {
  const standIn = aDeployedVersion(3, { role: VersionRole.FALLBACK, weightPercent: 0 });
  const changed = aDeploymentChanged();
  return guarded({ ...rules, fallbackVersion: 3 }, { ...changed, versions: [...changed.versions, standIn] });
};

/** Rows of the fixture's width, NaN where nothing is said. */
function rows(...values: readonly Record<number, number>[]): number[] {
  return values.flatMap((row) => flightColumns.map((_, index) => row[index] ?? 1));
}

function setUp(options: ServingOptions) {
  const use = new InferTensors(serving(options), 1_000);
  const guardrails: string[] = [];
  const asked: { version: number; failed: boolean }[] = [];
  const observer: TensorObserver = {
    answered: () => undefined,
    refused: () => undefined,
    canaryFailed: () => undefined,
    versionFailed: () => undefined,
    guarded: (_, breaches) => guardrails.push(...breaches.map(({ guardrail, action }) => `${guardrail} ${action}`)),
    versionAsked: (_, version, error) => asked.push({ version, failed: error !== undefined }),
  };
  const ask = (
    values: readonly number[] = rows({}),
    { version = '', parameters = {} }: { version?: string; parameters?: Readonly<Record<string, string>> } = {},
  ): Promise<TensorAnswer> =>
    new Promise((resolve, reject) => {
      const count = values.length / flightColumns.length;
      const request = anInferRequest(values, {
        parameters: Object.fromEntries(
          Object.entries(parameters).map(([name, value]) => [
            name,
            { parameterChoice: { $case: 'stringParam', value } },
          ]),
        ),
      });
      const [input] = request.inputs;
      if (input) input.shape = [BigInt(count), BigInt(flightColumns.length)];
      use.infer(
        {
          model: request.modelName,
          version,
          parameter: (name) => parameterOf(request, name),
          request: () => readMessage(request),
          answer: resolve,
          fail: reject,
        },
        observer,
      );
    });
  return { ask, guardrails, asked };
}

describe('a doubtful answer by tensor', () => {
  it('says why, with the row, and is counted', async () => {
    const ranges = flightColumns.map(() => ({ low: 0, high: 10 }));
    const rules: Partial<Guardrails> = { ...unsure(FLAG), outsideProfile: { action: FLAG, tolerance: 0 } };
    const { ask, guardrails } = setUp({ changed: guarded(rules), scores: { 1: 0.6 }, ranges });
    const answer = await ask(rows({}, { 1: 99 }));
    expect(answer).toMatchObject({
      version: 1,
      guardrails: [
        { guardrail: 'low_confidence', action: 'flag', reason: 'row 1 of 2: confidence 0.600 is below 0.8' },
        {
          guardrail: 'outside_profile',
          action: 'flag',
          reason: 'row 2 of 2: outside of what the version was validated on: local_hour',
        },
      ],
    });
    expect(guardrails).toEqual(['low_confidence flag', 'outside_profile flag']);
  });

  it('is none when no guardrail acts, and when none is declared', async () => {
    const { ask, guardrails } = setUp({ changed: guarded(unsure(REFUSE)), scores: { 1: 0.9 } });
    expect((await ask()).guardrails).toEqual([]);
    expect((await setUp({ scores: { 1: 0.5 } }).ask()).guardrails).toEqual([]);
    expect(guardrails).toEqual([]);
  });

  it.each([
    ['refuse', REFUSE],
    ['the declared number, which is no tensor', DEFAULT],
    ['a version that stands in where none is loaded', FALLBACK_MODEL],
  ])('is refused for %s', async (_, action) => {
    const { ask } = setUp({ changed: guarded(unsure(action)), scores: { 1: 0.5 } });
    await expect(ask()).rejects.toMatchObject({ kind: 'precondition', code: 'guardrail' });
    await expect(ask()).rejects.toThrow('low_confidence: confidence 0.500 is below 0.8');
  });

  it('gives way to the version that stands in, which is not doubted again', async () => {
    const options = { changed: withStandIn(unsure(FALLBACK_MODEL)), scores: { 1: 0.5, 3: 0.55 } };
    const { ask, guardrails } = setUp(options);
    const answer = await ask();
    expect(answer.version).toBe(3);
    expect(answer.outputs['probabilities']?.data[1]).toBeCloseTo(0.55);
    expect(answer.guardrails).toMatchObject([{ guardrail: 'low_confidence', action: 'fallback-model' }]);
    expect(guardrails).toEqual(['low_confidence fallback-model']);
  });

  it('is refused when the version that stands in fails, and when a version was asked by its number', async () => {
    const changed = withStandIn(unsure(FALLBACK_MODEL));
    const broken = setUp({ changed, scores: { 1: 0.5 }, broken: [3] });
    await expect(broken.ask()).rejects.toThrow('version 3 is broken');
    const { ask } = setUp({ changed, scores: { 1: 0.5 } });
    await expect(ask(rows({}), { version: '1' })).rejects.toMatchObject({ code: 'guardrail' });
  });
});

describe('a rollout under requests by tensor', () => {
  it('is told how its versions fare: each that was asked, and who failed', async () => {
    const { ask, asked } = setUp({ changed: aPairedRollout(50), broken: [2] });
    for (let request = 0; request < 4; request += 1) expect((await ask()).version).toBe(1);
    const failed = asked.filter((one) => one.failed);
    expect(failed).toEqual([
      { version: 2, failed: true },
      { version: 2, failed: true },
    ]);
    expect(asked.filter(({ version }) => version === 1)).toHaveLength(4);
  });

  it('does not blame a version for a request that nobody could answer', async () => {
    const { ask, asked } = setUp({ changed: aPairedRollout(50) });
    await expect(ask(rows({}), { version: '9' })).rejects.toMatchObject({ kind: 'not-found' });
    await expect(ask([])).rejects.toMatchObject({ kind: 'invalid' });
    expect(asked).toEqual([]);
  });

  it('keeps its version for each unit that a parameter names, and the champion for those without', async () => {
    const paired = aPairedRollout(50);
    const { rollout } = paired;
    if (!rollout) throw new Error('the builder gives a rollout');
    const { ask } = setUp({
      changed: { ...paired, rollout: { ...rollout, strategy: 'ab', assignmentUnit: 'customer' } },
    });
    const versionsOf = async (customer: string): Promise<Set<number>> => {
      const answers = await Promise.all(Array.from({ length: 5 }, () => ask(rows({}), { parameters: { customer } })));
      return new Set(answers.map(({ version }) => version));
    };
    const seen = new Set<number>();
    for (let customer = 0; customer < 20; customer += 1) {
      const versions = await versionsOf(`customer-${customer}`);
      expect(versions.size).toBe(1);
      for (const version of versions) seen.add(version);
    }
    expect(seen).toEqual(new Set([1, 2]));
    for (let request = 0; request < 5; request += 1) expect((await ask()).version).toBe(1);
  });
});
