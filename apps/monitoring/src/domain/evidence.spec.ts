import { cases, FEATURES, profileOf } from '../../test/builders';
import { MICROS } from '@headrace/event-time';
import { columnsOf, driftOf, windowOf } from '../../test/windows';
import { driftEvidence, type DriftRules, type JudgedEvidence, type ScoredRow } from './evidence';
import type { ReferenceProfile } from './reference-profile';

const reference = cases({ seed: 1, days: 5, perDay: 400 });
const profile = profileOf(reference);
const rows = (stream = reference): ScoredRow[] =>
  stream.map((one) => ({ names: FEATURES, features: one.features, score: one.score }));

const judgeDrift = (judged: readonly ScoredRow[], against: ReferenceProfile, rules?: DriftRules): JudgedEvidence =>
  driftOf(judged, against, rules, { windowMicros: MICROS.d, minimumSample: 100 });

describe('evidence of drift', () => {
  it('is nothing for the reference itself', () => {
    const { evidence, crossed } = judgeDrift(rows(), profile, undefined);
    expect(crossed).toBe(false);
    for (const entry of evidence) expect(entry.value).toBeLessThan(0.01);
  });

  it('reports PSI and KS of every subject, and what the tests name besides', () => {
    const { evidence } = judgeDrift(rows(), profile, {
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
    expect(judgeDrift(turned, profile, undefined)).toEqual(judgeDrift(rows(), profile, undefined));
  });

  it('crosses when as many tests cross as are wanted', () => {
    const drifted = rows(cases({ seed: 2, days: 5, perDay: 400, driftFromDay: 0 }));
    const tests = [
      { subject: 'prediction', statistic: 'psi' as const, threshold: 0.25 },
      { subject: 'distance', statistic: 'psi' as const, threshold: 0.25 },
    ];
    const judge = (crossings: number) => judgeDrift(drifted, profile, { tests, crossings, rule: { k: 1, n: 1 } });
    expect(judge(1).crossed).toBe(true);
    expect(judge(2).crossed).toBe(false);
  });
});

describe('p-values', () => {
  const rule = { k: 1, n: 1 };
  const P_VALUES = ['ks_p', 'anderson_darling_p', 'mann_whitney_p', 'chi_square_p', 'g_p'] as const;
  const tests = ['prediction', 'distance', 'delay'].flatMap((subject) =>
    P_VALUES.map((statistic) => ({ subject, statistic, threshold: 0.05 })),
  );
  const judge = (stream: typeof reference) =>
    judgeDrift(rows(stream), profile, { tests, crossings: 1, rule }).evidence.filter((entry) =>
      entry.statistic.endsWith('_p'),
    );

  it('cross at or below their threshold, and only where something moved', () => {
    const found = judge(cases({ seed: 2, days: 1, perDay: 400, driftFromDay: 0 }));
    const crossed = found.filter((entry) => entry.crossed).map((entry) => `${entry.subject} ${entry.statistic}`);
    expect(crossed).toEqual(P_VALUES.map((statistic) => `prediction ${statistic}`));
    for (const entry of found) expect(entry.crossed).toBe(entry.value <= 0.05);
  });

  it('are adjusted together: the more tests, the larger', () => {
    const stream = cases({ seed: 5, days: 1, perDay: 400 });
    const alone = judgeDrift(rows(stream), profile, { tests: tests.slice(0, 1), crossings: 1, rule });
    const one = alone.evidence.find((entry) => entry.statistic === 'ks_p');
    const together = judge(stream).find((entry) => entry.statistic === 'ks_p' && entry.subject === 'prediction');
    expect(together?.value ?? 0).toBeGreaterThan(one?.value ?? 1);
  });

  it('seldom cry wolf, however many: of 100 windows without a change at most a few have any crossing', () => {
    const alarmed = Array.from({ length: 100 }, (_, seed) =>
      judge(cases({ seed: 100 + seed, days: 1, perDay: 300 })).some((entry) => entry.crossed),
    );
    expect(alarmed.filter(Boolean).length).toBeLessThanOrEqual(10);
  });
});

describe('a window that is read in parts', () => {
  const stream = rows(cases({ seed: 8, days: 1, perDay: 999, driftFromDay: 0 }));
  const tests = ['prediction', 'delay'].flatMap((subject) =>
    (['js', 'ks_p', 'wasserstein', 'energy', 'anderson_darling_p', 'mann_whitney_p', 'g_p'] as const).map(
      (statistic) => ({
        subject,
        statistic,
        threshold: 0.05,
      }),
    ),
  );
  const rules = { tests, crossings: 1, rule: { k: 1, n: 1 } };
  const cadence = { windowMicros: MICROS.d, minimumSample: 100 };

  it('says what the whole says, also when instances read its parts, of requests with their features in another order', () => {
    const [first, second] = [windowOf([], profile, rules), windowOf([], profile, rules)];
    second.add(columnsOf(stream.slice(0, 300)));
    const turned = stream
      .slice(300, 500)
      .map((row) => ({ ...row, names: [...FEATURES].reverse(), features: [...row.features].reverse() }));
    first.add(columnsOf(turned, 300));
    first.add(columnsOf(stream.slice(500), 500));
    first.merge(second);
    expect(first.rows).toBe(999);
    const whole = driftOf(stream, profile, rules, cadence).evidence;
    const parts = driftEvidence(first, profile, rules, cadence).evidence;
    expect(parts.map(({ value: _value, ...rest }) => rest)).toEqual(whole.map(({ value: _value, ...rest }) => rest));
    for (const [index, { value }] of parts.entries()) expect(value).toBeCloseTo(whole[index]?.value ?? -1, 12);
  });

  it('keeps values only where a test needs them', () => {
    const window = windowOf(stream, profile, { ...rules, tests: tests.filter(({ subject }) => subject === 'delay') });
    expect(window.of('delay').values()).toHaveLength(999);
    expect(window.of('prediction').values()).toEqual([]);
    expect(window.of('prediction').counts.count).toBe(999);
    expect(() => window.of('unknown')).toThrow('unknown');
  });
});

describe('the default test', () => {
  const rule = { k: 1, n: 1 };
  const tests = [{ subject: 'distance', statistic: 'default' as const }];
  const besides = (size: number) => {
    const few = profileOf(cases({ seed: 1, days: 1, perDay: size }));
    const { evidence } = judgeDrift(rows(), few, { tests, crossings: 1, rule });
    return evidence.filter((entry) => entry.threshold > 0).map((entry) => [entry.statistic, entry.threshold]);
  };

  it('is a p-value against a small reference and a distance against a large one', () => {
    expect(besides(800)).toEqual([['ks_p', 0.05]]);
    expect(besides(1_200)).toEqual([['wasserstein', 0.1]]);
  });
});
