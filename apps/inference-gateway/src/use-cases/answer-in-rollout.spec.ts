import { VersionRole, type DeploymentChanged } from '@headrace/contracts/proto/registry/v1/registry_events';
import { stringValue } from '@headrace/definitions';
import { eventually } from '@headrace/testing';
import { setUp } from '../../test/answering';
import { aColumn, aPairedRollout, aPredictRequest, aVector } from '../../test/builders';
import type { FetchOutcome } from '../grpc-out/feature-fetcher';

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
