import { MICROS } from '@headrace/event-time';
import { checkRollout, type CheckedRollout } from './rollout-check';

const rules = { alpha: 0.05, failures: { minimum: 5, tolerance: 0.01 }, inconclusiveAfter: '10m' };
const START = 1_000 * MICROS.s;
const TEN_MINUTES = 600 * MICROS.s;

function aRollout(fields: Partial<CheckedRollout> = {}): CheckedRollout {
  return {
    step: 1,
    stepStartedMicros: START,
    candidate: { asked: 100, failed: 0, lastError: '' },
    champion: { asked: 100, failed: 0 },
    reportedMicros: START,
    rolledBack: false,
    inconclusiveStep: -1,
    ...fields,
  };
}

describe('a rollout without labels', () => {
  it('is rolled back when its candidate fails, with the last error in words', () => {
    const failing = aRollout({ candidate: { asked: 12, failed: 9, lastError: 'the model process crashed' } });
    expect(checkRollout(failing, rules, START)).toEqual({
      kind: 'roll_back',
      reason: 'the candidate could not score 9 of 12 requests (tolerated: 2.0 %); last: the model process crashed',
    });
    expect(checkRollout({ ...failing, rolledBack: true }, rules, START)).toEqual({ kind: 'nothing' });
  });

  it('is inconclusive when nobody asks, once for each step, and never a success', () => {
    const silent = aRollout({ reportedMicros: 0 });
    expect(checkRollout(silent, rules, START + TEN_MINUTES - 1)).toEqual({ kind: 'nothing' });
    expect(checkRollout(silent, rules, START + TEN_MINUTES)).toMatchObject({ kind: 'inconclusive' });
    expect(checkRollout({ ...silent, inconclusiveStep: 1 }, rules, Infinity)).toEqual({ kind: 'nothing' });
    expect(checkRollout({ ...silent, inconclusiveStep: 0 }, rules, Infinity)).toMatchObject({ kind: 'inconclusive' });
  });

  it('is not silent while requests come', () => {
    const asked = aRollout({ reportedMicros: START + TEN_MINUTES });
    expect(checkRollout(asked, rules, START + 2 * TEN_MINUTES - 1)).toEqual({ kind: 'nothing' });
  });

  it('of an older registry, whose steps have no time, is not called inconclusive', () => {
    expect(checkRollout(aRollout({ stepStartedMicros: 0 }), rules, Infinity)).toEqual({ kind: 'nothing' });
  });
});
