import { binCounts, psi, sharesOf } from '@headrace/statistics';
import { randomFrom } from '../../test/builders';
import { subjectOf } from '../../test/windows';
import { driftStatistic } from './drift-statistics';
import type { ScoredRow } from './evidence';
import { distributionOf, MOST_KEPT, sketchesOf, type KeptSketch } from './window-sketch';

const DAY = 86_400_000_000;

const rowsOf = (values: readonly number[]): ScoredRow[] =>
  values.map((value) => ({ names: ['amount'], features: [value], score: 0.5 }));

function kept(day: number, values: readonly number[]): KeptSketch {
  const [sketch] = sketchesOf(rowsOf(values), ['amount']);
  if (!sketch) throw new Error('no sketch');
  return { ...sketch, startMicros: day * DAY, rows: values.length };
}

const together = (windows: readonly (readonly number[])[]) =>
  distributionOf(
    'amount',
    windows.map((values, day) => kept(day, values)),
    DAY,
  );

/** Skewed, as amounts are: x ↦ −ln(1 − u), moved. */
function amounts(seed: number, count: number, by = 0): number[] {
  const random = randomFrom(seed);
  return Array.from({ length: count }, () => by - Math.log(1 - random()));
}

function deviation(values: readonly number[]): number {
  const mean = values.reduce((sum, value) => sum + value, 0) / values.length;
  return Math.sqrt(values.reduce((sum, value) => sum + (value - mean) ** 2, 0) / values.length);
}

describe('a reference of closed windows', () => {
  it('is all their values, while they are few', () => {
    const windows = [amounts(1, 300), amounts(2, 200), amounts(3, 400, 0.5)];
    const all = windows.flat();
    const reference = together(windows);
    expect(reference.sample).toEqual([...all].sort((a, b) => a - b));
    expect(reference.counts).toEqual(binCounts(all, reference.innerEdges, 'left'));
    expect(reference.windows?.counts).toEqual(windows.map((values) => binCounts(values, reference.innerEdges, 'left')));
    expect(reference.std).toBeCloseTo(deviation(all), 12);
    expect(reference.windows).toMatchObject({ lengthMicros: DAY, starts: [0, DAY, 2 * DAY], rows: [300, 200, 400] });
  });

  it('has shares within 1/1,000 of those of all values, however many there are', () => {
    const windows = [amounts(1, 40_000), amounts(2, 1_001, 2), amounts(3, 12_345, 0.3), amounts(4, 800, 5)];
    const all = windows.flat();
    const reference = together(windows);
    expect(reference.sample).toHaveLength(MOST_KEPT);
    expect(reference.innerEdges).toHaveLength(9);
    const exact = sharesOf(binCounts(all, reference.innerEdges, 'left'));
    for (const [bin, share] of sharesOf(reference.counts).entries())
      expect(Math.abs(share - (exact[bin] ?? 0))).toBeLessThanOrEqual(1 / MOST_KEPT);
    expect(reference.counts.reduce((sum, count) => sum + count, 0)).toBe(all.length);
    // Deciles: no bin is far from a tenth.
    for (const share of exact) expect(Math.abs(share - 0.1)).toBeLessThan(0.004);
    expect(reference.std).toBeCloseTo(deviation(all), 9);
    const window = amounts(9, 5_000, 0.2);
    const shares = sharesOf(binCounts(window, reference.innerEdges, 'left'));
    expect(driftStatistic('psi', reference, subjectOf(reference, window))).toBeCloseTo(psi(exact, shares), 2);
  });

  it('gives each window the weight of its values, not of what is kept of it', () => {
    const reference = together([amounts(1, 20_000), amounts(2, 1_000, 100)]);
    const beyond = reference.sample.filter((value) => value > 50).length / reference.sample.length;
    expect(beyond).toBeCloseTo(1_000 / 21_000, 2);
  });

  it('does not depend on the order of its windows', () => {
    const windows = [amounts(1, 3_000), amounts(2, 200, 1), amounts(3, 900, 2)];
    const [there, back] = [together(windows), together([...windows].reverse())];
    expect(back.sample).toEqual(there.sample);
    expect(back.innerEdges).toEqual(there.innerEdges);
    expect(back.counts).toEqual(there.counts);
    expect(back.std).toBeCloseTo(there.std, 12);
  });

  it('keeps a bin for every value of a flag, and leaves missing values out', () => {
    const flags = Array.from({ length: 5_000 }, (_, row) => (row % 10 === 0 ? Number.NaN : Number(row % 4 === 1)));
    const present = flags.filter((value) => !Number.isNaN(value));
    const reference = together([flags, [0, 0, 1]]);
    expect(reference.innerEdges).toEqual([0.5]);
    expect(reference.counts.reduce((sum, count) => sum + count, 0)).toBe(present.length + 3);
    expect(reference.windows?.rows).toEqual([5_000, 3]);
  });

  it('is of its own deciles: a window like it does not drift, wherever the training was', () => {
    const reference = together([amounts(1, 2_000, 1_000), amounts(2, 2_000, 1_000)]);
    expect(driftStatistic('psi', reference, subjectOf(reference, amounts(3, 2_000, 1_000)))).toBeLessThan(0.02);
    expect(driftStatistic('psi', reference, subjectOf(reference, amounts(3, 2_000, 1_002)))).toBeGreaterThan(1);
  });

  it('says nothing of a subject that was never there', () => {
    const reference = together([[Number.NaN, Number.NaN], [Number.NaN]]);
    for (const statistic of ['psi', 'ks', 'wasserstein', 'ks_p', 'chi_square_p'] as const)
      expect(driftStatistic(statistic, reference, subjectOf(reference, [1, 2, 3]))).toBeNaN();
  });
});
