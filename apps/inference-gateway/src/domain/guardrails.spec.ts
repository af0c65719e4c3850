import { breachesOf, strictest, type Doubtful, type GuardrailRules } from './guardrails';

const none: GuardrailRules = { outsideProfile: undefined, lowConfidence: undefined, missingFeatures: undefined };
const request = (fields: Partial<Doubtful> = {}): Doubtful => ({
  names: ['distance', 'hour'],
  values: [500, 12],
  ranges: [
    { low: 100, high: 1_100 },
    { low: 0, high: 24 },
  ],
  task: 'binary',
  output: 0.9,
  ...fields,
});

describe('guardrails', () => {
  const outside: GuardrailRules = { ...none, outsideProfile: { action: 'flag', tolerance: 0.1 } };

  it('let everything pass where none is declared', () => {
    expect(breachesOf(none, request({ values: [NaN, 1e9], output: 0.5 }))).toEqual([]);
  });

  it('see a feature outside of the profile beyond the tolerance, on either side, and name it without its value', () => {
    for (const [value, found] of [
      [0, 0],
      [-0.1, 1],
      [1_200, 0],
      [1_200.1, 1],
      [Infinity, 1],
    ] as const) {
      expect(breachesOf(outside, request({ values: [value, 12] }))).toHaveLength(found);
    }
    expect(breachesOf(outside, request({ values: [5_000, 99] }))).toEqual([
      {
        guardrail: 'outside_profile',
        action: 'flag',
        reason: 'outside of what the version was validated on: distance, hour',
      },
    ]);
  });

  it('do not take a missing value, or a feature that the profile does not know, for one outside', () => {
    expect(breachesOf(outside, request({ values: [NaN, 12] }))).toEqual([]);
    expect(breachesOf(outside, request({ values: [5_000, 12], ranges: [undefined, undefined] }))).toEqual([]);
  });

  it('see more missing features than are allowed', () => {
    const rules: GuardrailRules = { ...none, missingFeatures: { action: 'default', moreThan: 1 } };
    expect(breachesOf(rules, request({ values: [NaN, 12] }))).toEqual([]);
    expect(breachesOf(rules, request({ values: [NaN, NaN] }))).toMatchObject([
      { guardrail: 'missing_features', reason: '2 features have no value: distance, hour' },
    ]);
  });

  it('see low confidence in either class, of binary models alone', () => {
    const rules: GuardrailRules = { ...none, lowConfidence: { action: 'refuse', below: 0.7 } };
    for (const output of [0.31, 0.5, 0.69]) expect(breachesOf(rules, request({ output }))).toHaveLength(1);
    for (const output of [0, 0.3, 0.7, 1]) expect(breachesOf(rules, request({ output }))).toEqual([]);
    expect(breachesOf(rules, request({ output: 0.5, task: 'regression' }))).toEqual([]);
  });

  it('are all told, and the strictest action is taken', () => {
    const rules: GuardrailRules = {
      outsideProfile: { action: 'flag', tolerance: 0 },
      lowConfidence: { action: 'default', below: 0.7 },
      missingFeatures: { action: 'fallback-model', moreThan: 0 },
    };
    const breaches = breachesOf(rules, request({ values: [NaN, 99], output: 0.6 }));
    expect(breaches.map(({ guardrail }) => guardrail)).toEqual([
      'missing_features',
      'outside_profile',
      'low_confidence',
    ]);
    expect(strictest(breaches)).toBe('default');
    expect(strictest([...breaches, { guardrail: 'low_confidence', action: 'refuse', reason: '' }])).toBe('refuse');
  });
});
