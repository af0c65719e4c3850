import { cases, profileOf, wholeProfileOf } from '../../test/builders';
import { performanceEvidence } from './performance-evidence';

const reference = cases({ seed: 1, days: 5, perDay: 400 });
const profile = profileOf(reference);

describe('evidence of performance', () => {
  const judge = (test: Parameters<typeof performanceEvidence>[2]) => performanceEvidence(reference, profile, test, 0.5);
  const rule = { k: 1, n: 1 };

  it('has every measure with its interval, and the reference beside it', () => {
    const whole = wholeProfileOf(reference);
    const { evidence } = performanceEvidence(reference, whole, undefined, 0.3);
    expect(evidence).toHaveLength(10);
    for (const { value, reference: before, low = Infinity, high = -Infinity } of evidence) {
      expect(value).toBeCloseTo(before, 9);
      expect([low <= value, value <= high]).toEqual([true, true]);
    }
  });

  it('has no reference for what an older profile does not tell', () => {
    const known = judge(undefined).evidence.filter((entry) => !Number.isNaN(entry.reference));
    expect(known.map((entry) => entry.statistic)).toEqual(['auc', 'brier', 'log_loss', 'calibration']);
  });

  it('takes recall at the declared threshold', () => {
    const tests = [{ statistic: 'recall' as const, worseBy: 0.1 }];
    const whole = wholeProfileOf(reference);
    const shy = reference.map((one) => ({ ...one, score: one.score * 0.7 }));
    expect(performanceEvidence(shy, whole, { tests, crossings: 1, rule }, 0.3).crossed).toBe(true);
    expect(performanceEvidence(reference, whole, { tests, crossings: 1, rule }, 0.3).crossed).toBe(false);
  });

  it('takes an AUC as worse when it is lower, and a loss when it is higher', () => {
    const worse = cases({ seed: 3, days: 5, perDay: 400 }).map((one) => ({ ...one, label: 1 - one.label }));
    const tests = [
      { statistic: 'auc' as const, worseBy: 0.05 },
      { statistic: 'brier' as const, worseByFactor: 1.5 },
    ];
    expect(performanceEvidence(worse, profile, { tests, crossings: 2, rule }, 0.5).crossed).toBe(true);
    expect(judge({ tests, crossings: 1, rule }).crossed).toBe(false);
  });

  it('judges the calibration by its absolute value', () => {
    const low = reference.map((one) => ({ score: one.score + 0.3, label: one.label }));
    const tests = [{ statistic: 'calibration' as const, worseBy: 0.2 }];
    expect(performanceEvidence(low, profile, { tests, crossings: 1, rule }, 0.5).crossed).toBe(true);
  });
});
