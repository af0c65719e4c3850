import { cases, FEATURES, profileOf, randomFrom, wholeProfileOf, type Case } from '../../test/builders';
import { canEstimate, contradicts, estimateEvidence, expectationOf } from './estimate-evidence';
import type { ScoredRow } from './evidence';
import { explain, explanationText } from './explanation';
import { performanceEvidence } from './performance-evidence';

const reference = cases({ seed: 1, days: 10, perDay: 400 });
const profile = wholeProfileOf(reference);
const rule = { k: 1, n: 1 };
const rowsOf = (stream: readonly Case[]): ScoredRow[] =>
  stream.map((one) => ({ names: FEATURES, features: one.features, score: one.score }));
const THRESHOLD = 0.4;

/** Requests that are harder: scores near the threshold, labels as the scores say. */
function harder(count: number, seed: number): Case[] {
  const random = randomFrom(seed);
  return cases({ seed, days: 1, perDay: count }).map((one) => {
    const score = 0.25 + 0.3 * random();
    return { ...one, score, label: random() < score ? 1 : 0 };
  });
}

describe('performance before labels', () => {
  it('is estimated where the profile has labelled scores of both classes', () => {
    expect(canEstimate(profile)).toBe(true);
    expect(canEstimate(profileOf(reference))).toBe(false);
    expect(canEstimate(wholeProfileOf(reference.slice(0, 150)))).toBe(false);
    expect(canEstimate(wholeProfileOf(reference.map((one, index) => ({ ...one, label: index < 19 ? 1 : 0 }))))).toBe(
      false,
    );
    expect(canEstimate({ ...profile, task: 'regression' })).toBe(false);
  });

  it('lies with its band about what labels later say, of inputs as before and of harder ones', () => {
    for (const stream of [cases({ seed: 2, days: 1, perDay: 2_000 }), harder(2_000, 3)]) {
      const estimated = estimateEvidence(rowsOf(stream), profile, undefined, THRESHOLD).evidence;
      const measured = performanceEvidence(stream, profile, undefined, THRESHOLD).evidence;
      expect(estimated.map((entry) => entry.statistic)).toEqual([
        'accuracy',
        'precision',
        'recall',
        'specificity',
        'f1',
        'auc',
      ]);
      for (const { statistic, low = 1, high = 0 } of estimated) {
        const truth = measured.find((entry) => entry.statistic === statistic)?.value ?? Number.NaN;
        expect([statistic, low <= truth, truth <= high]).toEqual([statistic, true, true]);
      }
    }
  });

  it('crosses by the inputs alone', () => {
    const rules = { tests: [{ statistic: 'auc' as const, worseBy: 0.1 }], crossings: 1, rule };
    const judge = (stream: readonly Case[]) => estimateEvidence(rowsOf(stream), profile, rules, THRESHOLD).crossed;
    expect(judge(cases({ seed: 2, days: 1, perDay: 2_000 }))).toBe(false);
    expect(judge(harder(2_000, 3))).toBe(true);
  });
});

describe('concept drift and data drift', () => {
  const explained = (stream: readonly Case[], drifted: boolean) => {
    const { measured, expected, z } = expectationOf(stream, profile, THRESHOLD);
    const entry = (statistic: string, value: number) => ({
      subject: 'prediction',
      statistic,
      value,
      threshold: 0,
      reference: 0,
      crossed: false,
    });
    return explain([entry('brier', measured), entry('expected_brier', expected), entry('contradiction_z', z)], drifted);
  };

  it('are told apart: harder inputs keep what scores promise, changed truths do not', () => {
    const data = explained(harder(2_000, 3), true);
    expect(data).toMatchObject({ inputsDrifted: true, relationChanged: false });
    expect(data && explanationText(data)).toContain('data drift alone');
    const flipped = cases({ seed: 4, days: 1, perDay: 1_000 }).map((one, index) => ({
      ...one,
      label: index % 4 === 0 ? 1 - one.label : one.label,
    }));
    const concept = explained(flipped, false);
    expect(concept).toMatchObject({ inputsDrifted: false, relationChanged: true });
    expect(concept && explanationText(concept)).toContain('concept drift');
  });

  it('are not told apart without labelled scores', () => {
    expect(explain([], true)).toBeUndefined();
  });

  it('contradict calibrated scores of other rows as seldom as three standard errors let expect', () => {
    const wrong = Array.from({ length: 200 }, (_, seed) =>
      contradicts(expectationOf(cases({ seed: 500 + seed, days: 1, perDay: 300 }), profile, THRESHOLD).z),
    );
    expect(wrong.filter(Boolean).length).toBeLessThanOrEqual(4);
  });
});
