import {
  GuardrailAction,
  VersionRole,
  type DeploymentChanged,
  type Guardrails,
} from '@headrace/contracts/proto/registry/v1/registry_events';
import { eventually } from '@headrace/testing';
import { setUp } from '../../test/answering';
import { aDeployedVersion, aDeploymentChanged, aPairedRollout, aPredictRequest, aVector } from '../../test/builders';

const { FLAG, FALLBACK_MODEL, DEFAULT, REFUSE } = GuardrailAction;

function guarded(rules: Partial<Guardrails>, changed = aDeploymentChanged()): DeploymentChanged {
  const { behaviour } = changed;
  if (!behaviour) throw new Error('the builder gives a behaviour');
  const none = {
    outsideProfile: undefined,
    lowConfidence: undefined,
    missingFeatures: undefined,
    fallbackVersion: 0,
  };
  return { ...changed, behaviour: { ...behaviour, guardrails: { ...none, ...rules } } };
}

const unsure = (action: GuardrailAction) => ({ lowConfidence: { action, below: 0.8 } });
/** Version 1 champion, version 3 stands in. */
const withStandIn = (rules: Partial<Guardrails>, changed = aDeploymentChanged()): DeploymentChanged => {
  const standIn = aDeployedVersion(3, { role: VersionRole.FALLBACK, weightPercent: 0 });
  return guarded({ ...rules, fallbackVersion: 3 }, { ...changed, versions: [...changed.versions, standIn] });
};

describe('a doubtful answer', () => {
  it('says why, in the answer and in the log, and is counted', async () => {
    const { answer, log, guarded: counted } = setUp({ changed: guarded(unsure(FLAG)), scores: { 1: 0.6 } });
    const { response } = await answer.answer(aPredictRequest(), Infinity);
    const reasons = [{ guardrail: 'low_confidence', action: 'flag', reason: 'confidence 0.600 is below 0.8' }];
    expect(response).toMatchObject({ version: 1, fallback: false, guardrails: reasons });
    expect(response.output).toBeCloseTo(0.6);
    expect(log[0]?.guardrails).toEqual(reasons);
    expect(counted).toEqual(['low_confidence flag']);
  });

  it('is none when no guardrail acts', async () => {
    const { answer, guarded: counted } = setUp({ changed: guarded(unsure(REFUSE)), scores: { 1: 0.9 } });
    const { response } = await answer.answer(aPredictRequest(), Infinity);
    expect(response).toMatchObject({ version: 1, guardrails: [] });
    expect(counted).toEqual([]);
  });

  it('is refused where that is declared, and not logged', async () => {
    const { answer, log } = setUp({ changed: guarded(unsure(REFUSE)), scores: { 1: 0.5 } });
    const refused = answer.answer(aPredictRequest(), Infinity);
    await expect(refused).rejects.toMatchObject({ kind: 'precondition', code: 'guardrail' });
    await expect(refused).rejects.toThrow('low_confidence: confidence 0.500 is below 0.8');
    expect(log).toEqual([]);
  });

  it('gives way to the declared value; what the version said is logged beside it', async () => {
    const { answer, log } = setUp({ changed: guarded(unsure(DEFAULT)), scores: { 1: 0.5 } });
    const { response } = await answer.answer(aPredictRequest(), Infinity);
    expect(response).toMatchObject({ output: 0.2, version: 0, fallback: true, fallbackReason: 'guardrail' });
    expect(response.guardrails).toHaveLength(1);
    expect(log[0]?.shadowScores).toEqual([{ version: 1, output: 0.5 }]);
  });

  it('gives way to the fallback model, which answers nothing else', async () => {
    const { answer, log } = setUp({ changed: withStandIn(unsure(FALLBACK_MODEL)), scores: { 1: 0.5, 3: 0.6 } });
    const { response } = await answer.answer(aPredictRequest(), Infinity);
    expect(response).toMatchObject({ version: 3, assignment: 'fallback', fallback: false });
    expect(response.guardrails).toMatchObject([{ action: 'fallback-model' }]);
    expect(log[0]).toMatchObject({ version: 3, shadowScores: [{ version: 1 }] });

    const sure = setUp({ changed: withStandIn(unsure(FALLBACK_MODEL)), scores: { 1: 0.9, 3: 0.6 } });
    expect((await sure.answer.answer(aPredictRequest(), Infinity)).response.version).toBe(1);
    expect(sure.log[0]?.shadowScores).toEqual([]);
  });

  it('gives way to the declared value when the fallback model fails too', async () => {
    const changed = withStandIn(unsure(FALLBACK_MODEL));
    const { answer } = setUp({ changed, scores: { 1: 0.5 }, broken: [3] });
    const { response } = await answer.answer(aPredictRequest(), Infinity);
    expect(response).toMatchObject({ output: 0.2, fallback: true, fallbackReason: 'guardrail' });
  });

  it('is found in inputs outside of the profile, and in missing ones', async () => {
    const rules = {
      outsideProfile: { action: FLAG, tolerance: 0 },
      missingFeatures: { action: DEFAULT, moreThan: 0 },
    };
    const { values } = aVector();
    const ranges = values.map((value) => ({ low: value - 1, high: value + 1 }));
    const asked = async (vector: number[]) => {
      const outcome = { kind: 'features', vector: aVector({ values: vector }) } as const;
      const { answer } = setUp({ changed: guarded(rules), ranges, outcome });
      return (await answer.answer(aPredictRequest(), Infinity)).response;
    };
    expect((await asked(values)).guardrails).toEqual([]);
    const outside = await asked(values.map((value, index) => (index === 2 ? 99 : value)));
    expect(outside).toMatchObject({ fallback: false, guardrails: [{ guardrail: 'outside_profile', action: 'flag' }] });
    const missing = await asked(values.map((value, index) => (index === 2 ? NaN : value)));
    expect(missing).toMatchObject({ fallback: true, guardrails: [{ guardrail: 'missing_features' }] });
  });

  it('leaves a rollout its pairs: the fallback model is no part of it', async () => {
    const changed = withStandIn(unsure(FLAG), aPairedRollout(0));
    const { answer, log, asked } = setUp({ changed, scores: { 1: 0.5, 2: 0.5, 3: 0.5 } });
    await answer.answer(aPredictRequest(), Infinity);
    await eventually(() => expect(log).toHaveLength(1));
    expect(log[0]?.shadowScores.map(({ version }) => version)).toEqual([2]);
    expect(asked.map(({ version }) => version).sort()).toEqual([1, 2]);
  });
});
