import { kinds } from '@headrace/definitions';
import { MICROS } from '@headrace/event-time';
import { DAY_ONE, randomFrom } from '../../test/builders';
import { analyse, beginAnalysis, closedBucketsEnd, type Analysed, type AnalysisRules } from './rollout-analysis';
import type { Pair } from '@headrace/statistics';

const rules: AnalysisRules = kinds.Endpoint.parse({
  apiVersion: 'headrace.dev/v1',
  kind: 'Endpoint',
  metadata: { name: 'e' },
  spec: { model: 'm', joinKey: 'k' },
}).spec.rollout.analysis;

/** 100 pairs an hour whose differences scatter around a mean. */
function pairsOf(mean: number, days: number, seed = 1): Pair[] {
  const random = randomFrom(seed);
  return Array.from({ length: days * 2_400 }, (_, index) => ({
    predictionId: String(index).padStart(6, '0'),
    timeMicros: DAY_ONE + Math.floor((index / 2_400) * MICROS.d),
    difference: mean + (random() - 0.5) * 0.2,
  }));
}

function analyseUpTo(pairs: readonly Pair[], days: number, mayPromote = true): Analysed {
  const horizon = DAY_ONE + days * MICROS.d;
  const closedTo = closedBucketsEnd(horizon, rules);
  const closed = pairs.filter((pair) => pair.timeMicros < closedTo);
  return analyse(beginAnalysis(DAY_ONE), closed, closedTo, horizon, rules, { mayPromote, mayExpire: true });
}

describe('the analysis of a rollout', () => {
  it('promotes a better candidate, not before a whole day of event time', () => {
    const { verdict, state } = analyseUpTo(pairsOf(0.05, 3), 3);
    expect(verdict).toMatchObject({ verdict: 'promote', pairs: 2_400 });
    expect(verdict?.improvement.low).toBeGreaterThan(0);
    expect(state.analysedToMicros).toBe(DAY_ONE + MICROS.d);
    expect(verdict?.decidingPredictionId).toBe('002399');
  });

  it('rolls a worse candidate back as soon as the pairs suffice', () => {
    const { verdict, state } = analyseUpTo(pairsOf(-0.05, 3), 3);
    expect(verdict?.verdict).toBe('roll_back');
    expect(verdict?.improvement.high).toBeLessThan(0);
    expect(state.analysedToMicros).toBeLessThan(DAY_ONE + 8 * MICROS.h);
  });

  it('decides the same whether labels come at once or hour by hour', () => {
    const pairs = pairsOf(0.05, 3);
    const atOnce = analyseUpTo(pairs, 3);
    let step: Analysed = { state: beginAnalysis(DAY_ONE), verdict: undefined };
    for (let hour = 1; step.verdict === undefined; hour += 1) {
      const horizon = DAY_ONE + hour * MICROS.h + 17;
      const closedTo = closedBucketsEnd(horizon, rules);
      const { analysedToMicros } = step.state;
      const news = pairs.filter((pair) => pair.timeMicros >= analysedToMicros && pair.timeMicros < closedTo);
      step = analyse(step.state, news, closedTo, horizon, rules);
    }
    expect(step).toEqual(atOnce);
  });

  it('says nothing about equal versions, and lets the champion stay after the longest duration', () => {
    const pairs = pairsOf(0, 11);
    expect(analyseUpTo(pairs, 9).verdict).toBeUndefined();
    expect(analyseUpTo(pairs, 10).verdict).toMatchObject({
      verdict: 'roll_back',
      reason: 'undecided after 10d of event time: the champion stays',
    });
  });

  it('gives no verdict without traffic', () => {
    expect(analyseUpTo([], 5)).toMatchObject({ verdict: undefined, state: { pairs: 0, means: [] } });
  });

  it('does not promote while paused, and promotes at the next block after it', () => {
    const pairs = pairsOf(0.05, 3);
    const paused = analyseUpTo(pairs, 2, false);
    expect(paused.verdict).toBeUndefined();
    const horizon = DAY_ONE + 3 * MICROS.d;
    const news = pairs.filter((pair) => pair.timeMicros >= paused.state.analysedToMicros);
    expect(analyse(paused.state, news, horizon, horizon, rules).verdict?.verdict).toBe('promote');
  });

  it('rolls back even while paused', () => {
    expect(analyseUpTo(pairsOf(-0.05, 3), 3, false).verdict?.verdict).toBe('roll_back');
  });

  it('is not decided by a moment that ends in the middle of a bucket', () => {
    expect(closedBucketsEnd(DAY_ONE + 90 * MICROS.m, rules)).toBe(DAY_ONE + MICROS.h);
  });
});
