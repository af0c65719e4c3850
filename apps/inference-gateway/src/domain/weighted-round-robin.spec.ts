import { WeightedRoundRobin } from './weighted-round-robin';

function shares(weights: readonly [number, ...number[]], turns: number): number[] {
  const [first, ...others] = weights;
  const choices = [first, ...others].map((weight, index) => ({ weight, index }));
  const [head, ...tail] = choices;
  if (!head) throw new Error('no choices');
  const router = new WeightedRoundRobin([head, ...tail]);
  const counts = choices.map(() => 0);
  const total = weights.reduce((sum, value) => sum + value, 0);
  let worst = 0;
  for (let turn = 1; turn <= turns; turn += 1) {
    const { index } = router.next();
    counts[index] = (counts[index] ?? 0) + 1;
    choices.forEach(({ weight }, at) => {
      worst = Math.max(worst, Math.abs((counts[at] ?? 0) - (turn * weight) / total));
    });
  }
  expect(worst).toBeLessThanOrEqual(1);
  return counts;
}

describe('smooth weighted round-robin', () => {
  it.each(Array.from({ length: 101 }, (_, percent) => percent))(
    'is never more than one request away from a canary share of %d percent',
    (percent) => {
      expect(shares([100 - percent, percent], 1_000)[1]).toBe(percent * 10);
    },
  );

  it('spreads the canary’s requests evenly', () => {
    const router = new WeightedRoundRobin([
      { weight: 80, name: 'champion' },
      { weight: 20, name: 'canary' },
    ]);
    const names = Array.from({ length: 10 }, () => router.next().name);
    expect(names.slice(0, 5).filter((name) => name === 'canary')).toHaveLength(1);
    expect(names.slice(5).filter((name) => name === 'canary')).toHaveLength(1);
  });

  it('refuses weights that nobody could be chosen by', () => {
    expect(() => new WeightedRoundRobin([{ weight: 0 }])).toThrow(RangeError);
    expect(() => new WeightedRoundRobin([{ weight: 2 }, { weight: -1 }])).toThrow(RangeError);
  });
});
