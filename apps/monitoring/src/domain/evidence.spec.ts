import { cases, FEATURES, profileOf } from '../../test/builders';
import { driftEvidence, performanceEvidence, type ScoredRow } from './evidence';

const reference = cases({ seed: 1, days: 5, perDay: 400 });
const profile = profileOf(reference);
const rows = (stream = reference): ScoredRow[] =>
  stream.map((one) => ({ names: FEATURES, features: one.features, score: one.score }));

describe('evidence of drift', () => {
  it('is nothing for the reference itself', () => {
    const { evidence, crossed } = driftEvidence(rows(), profile, undefined);
    expect(crossed).toBe(false);
    for (const entry of evidence) expect(entry.value).toBeLessThan(0.01);
  });

  it('reports PSI and KS of every subject, and what the tests name besides', () => {
    const { evidence } = driftEvidence(rows(), profile, {
      tests: [{ subject: 'delay', statistic: 'js', threshold: 0.1 }],
      crossings: 1,
      rule: { k: 1, n: 1 },
    });
    expect(evidence.map((entry) => `${entry.statistic} ${entry.subject}`)).toEqual([
      'psi prediction',
      'ks prediction',
      'psi distance',
      'ks distance',
      'psi delay',
      'ks delay',
      'js delay',
    ]);
  });

  it('finds features by name, whatever their order in the request', () => {
    const turned = rows().map((row) => ({
      ...row,
      names: [...FEATURES].reverse(),
      features: [...row.features].reverse(),
    }));
    expect(driftEvidence(turned, profile, undefined)).toEqual(driftEvidence(rows(), profile, undefined));
  });

  it('crosses when as many tests cross as are wanted', () => {
    const drifted = rows(cases({ seed: 2, days: 5, perDay: 400, driftFromDay: 0 }));
    const tests = [
      { subject: 'prediction', statistic: 'psi' as const, threshold: 0.25 },
      { subject: 'distance', statistic: 'psi' as const, threshold: 0.25 },
    ];
    const judge = (crossings: number) => driftEvidence(drifted, profile, { tests, crossings, rule: { k: 1, n: 1 } });
    expect(judge(1).crossed).toBe(true);
    expect(judge(2).crossed).toBe(false);
  });
});

describe('evidence of performance', () => {
  const judge = (test: Parameters<typeof performanceEvidence>[2]) => performanceEvidence(reference, profile, test);
  const rule = { k: 1, n: 1 };

  it('has the reference beside each statistic', () => {
    const { evidence } = judge(undefined);
    for (const entry of evidence) expect(entry.value).toBeCloseTo(entry.reference, 9);
    expect(evidence.map((entry) => entry.statistic)).toEqual(['brier', 'log_loss', 'auc', 'calibration']);
  });

  it('takes an AUC as worse when it is lower, and a loss when it is higher', () => {
    const worse = cases({ seed: 3, days: 5, perDay: 400 }).map((one) => ({ ...one, label: 1 - one.label }));
    const tests = [
      { statistic: 'auc' as const, worseBy: 0.05 },
      { statistic: 'brier' as const, worseByFactor: 1.5 },
    ];
    expect(performanceEvidence(worse, profile, { tests, crossings: 2, rule }).crossed).toBe(true);
    expect(judge({ tests, crossings: 1, rule }).crossed).toBe(false);
  });

  it('judges the calibration by its absolute value', () => {
    const low = reference.map((one) => ({ score: one.score + 0.3, label: one.label }));
    const tests = [{ statistic: 'calibration' as const, worseBy: 0.2 }];
    expect(performanceEvidence(low, profile, { tests, crossings: 1, rule }).crossed).toBe(true);
  });
});
