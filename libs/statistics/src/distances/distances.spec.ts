import { expectAllClose, expectClose, golden, normals, type Sample } from '../../test/golden';
import { binCounts, categoryCounts, doaneEdges, sturgesEdges, withoutZeros } from './bins';
import { energyDistance, normedWasserstein } from './samples';
import { hellinger, jensenShannon, kullbackLeibler, largestDifference, psi, totalVariation } from './shares';

const numbers = golden<{
  shares: {
    r: number[];
    c: number[];
    psi: number;
    kullbackLeibler: number;
    jensenShannon: number;
    jensenShannon2: number;
    totalVariation: number;
    hellinger: number;
  }[];
  edges: { sample: Sample; sturges: number[]; doane: number[]; counts: number[] }[];
}>('distances');

describe("distances of shares have SciPy's numbers", () => {
  it.each(numbers.shares.map((entry) => [entry.r.length, entry] as const))('of %d bins', (_, expected) => {
    const { r, c } = expected;
    expectClose(psi(r, c), expected.psi);
    expectClose(kullbackLeibler(r, c), expected.kullbackLeibler);
    expectClose(jensenShannon(r, c), expected.jensenShannon);
    expectClose(jensenShannon(r, c, 2), expected.jensenShannon2);
    expectClose(totalVariation(r, c), expected.totalVariation);
    expectClose(hellinger(r, c), expected.hellinger);
  });
});

describe("bins have numpy's edges and counts", () => {
  it.each(numbers.edges.map((entry) => [entry.sample[1], entry] as const))('of %d values', (_, expected) => {
    const values = normals(expected.sample);
    const whole = expected.sample[4] === 0;
    expectAllClose(sturgesEdges(values, whole), expected.sturges);
    expectAllClose(doaneEdges(values, whole), expected.doane);
    expect(binCounts(values, expected.sturges.slice(1, -1), 'left')).toEqual(expected.counts);
  });

  it('are one bin when nothing varies', () => {
    expect(sturgesEdges([3, 3])).toEqual([2.5, 3.5]);
    expect(doaneEdges([3, 3, 3])).toEqual([2.5, 3.5]);
    expect(sturgesEdges([])).toEqual([]);
  });
});

describe('what the distances mean', () => {
  it('is infinite for Kullback-Leibler when the current side lacks a bin, unless zeros are filled', () => {
    expect(kullbackLeibler([0.5, 0.5], [1, 0])).toBe(Infinity);
    expect(kullbackLeibler([0.5, 0.5], withoutZeros([1, 0]))).toBeGreaterThan(3);
    expect(withoutZeros([0.99995, 0.00005, 0])).toEqual([0.99995, 0.00005, 0.00005 / 1e6]);
  });

  it('is at most one, for what cannot overlap', () => {
    expect(hellinger([1, 0], [0, 1])).toBe(1);
    expect(totalVariation([1, 0], [0, 1])).toBe(1);
    expect(largestDifference([0.5, 0.5, 0], [0.2, 0.5, 0.3])).toBeCloseTo(0.3, 12);
  });

  it('is in standard deviations for the normed Wasserstein distance', () => {
    expect(normedWasserstein([0, 1, 2, 3], [5, 6, 7, 8], 2)).toBeCloseTo(2.5, 12);
    expect(normedWasserstein([0, 0, 2], [1], 0)).toBeCloseTo(1_000, 9);
    expect(energyDistance([], [1])).toBeNaN();
  });

  it('counts every category of either side', () => {
    expect(categoryCounts(['a', 'b', 'a'], ['c', 'a'])).toEqual({ a: [2, 1, 0], b: [1, 0, 1] });
  });
});
