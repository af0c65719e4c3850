import { binCounts } from '../distances/bins';
import { Random } from '../numerics/random';
import { ks } from '../tests/ks';
import { PointCounts } from './point-counts';
import { RowSample } from './row-sample';

const random = new Random(7);
const draw = (count: number, of: () => number): number[] => Array.from({ length: count }, of);
const uniform = (): number => random.next();
const coarse = (): number => Math.floor(random.next() * 12) - 6;

describe('counts at points', () => {
  it('give the KS distance and the bins of the values themselves, ties, missing and infinite values included', () => {
    for (const [of, values] of [
      [uniform, draw(3_001, () => uniform() ** 1.2)],
      [coarse, draw(500, coarse)],
      [uniform, [...draw(40, coarse), Infinity, -Infinity, Number.NaN, -0, 0]],
      [coarse, [7]],
      [uniform, [-1]],
    ] as const) {
      const sample = draw(300, of);
      const edges = [...new Set(draw(9, of))].sort((a, b) => a - b);
      const counts = new PointCounts([...sample, ...edges]);
      for (const value of values) counts.add(value);
      expect(counts.ks(sample)).toBe(ks(sample, values));
      expect(counts.inBins(edges)).toEqual(binCounts(values, edges, 'left'));
      expect(counts.count + counts.missing).toBe(values.length);
    }
  });

  it('add up: parts of a stream, in any order, also by way of their plain state', () => {
    const sample = draw(200, uniform);
    const values = draw(1_000, uniform);
    const whole = new PointCounts(sample);
    const parts = [0, 1, 2].map(() => new PointCounts(sample));
    for (const [index, value] of values.entries()) {
      whole.add(value);
      parts[index % 3]?.add(value);
    }
    const [first, second, third] = parts;
    const merged = new PointCounts(sample, JSON.parse(JSON.stringify(third?.state)) as PointCounts['state']);
    if (first && second) for (const part of [second, first]) merged.merge(part);
    expect(merged.state).toEqual(whole.state);
    expect(() => merged.merge(new PointCounts(draw(200, uniform)))).toThrow(RangeError);
  });

  it('says nothing without values, and refuses samples and edges that are no points', () => {
    const counts = new PointCounts([1, 2, 3]);
    expect(counts.ks([1, 2])).toBeNaN();
    counts.add(2);
    expect(counts.ks([])).toBeNaN();
    expect(() => counts.ks([1, 2.5])).toThrow('2.5');
    expect(() => counts.inBins([2, 4])).toThrow('4');
  });
});

describe('a bounded sample of rows', () => {
  const rows = draw(60_000, uniform).map((value, index): [number, number] => [index * 1_000, value]);
  const sampled = (some: readonly [number, number][], most: number): RowSample => {
    const sample = new RowSample(2, most);
    for (const [at, value] of some) sample.add(at, value, [at, value]);
    return sample;
  };
  const sorted = (values: readonly number[]): number[] => [...values].sort((a, b) => a - b);

  it('is all rows in their order while there are no more', () => {
    const sample = sampled(rows.slice(0, 1_000), 1_000);
    expect(sample.valuesOf(1)).toEqual(rows.slice(0, 1_000).map(([, value]) => value));
    expect([sample.isWhole, sample.rows]).toEqual([true, 1_000]);
  });

  it('is the same for any order of rows and any parts that are merged', () => {
    const whole = sampled(rows, 1_000);
    expect([whole.isWhole, whole.rows, whole.valuesOf(0).length]).toEqual([false, 60_000, 1_000]);
    const backwards = sampled([...rows].reverse(), 1_000);
    const merged = sampled(rows.slice(40_000), 1_000);
    merged.merge(sampled(rows.slice(0, 700), 1_000));
    merged.merge(sampled(rows.slice(700, 40_000), 1_000));
    for (const other of [backwards, merged]) {
      expect(sorted(other.valuesOf(0))).toEqual(sorted(whole.valuesOf(0)));
      expect(other.rows).toBe(60_000);
    }
  });

  it('keeps a distribution within its stated error, of times and of values', () => {
    for (const most of [500, 5_000]) {
      const sample = sampled(rows, most);
      // Passed once in 10,000 samples.
      const bound = Math.sqrt(Math.log(2 / 1e-4) / (2 * most));
      for (const column of [0, 1]) {
        const all = rows.map((row) => row[column] ?? 0);
        expect(ks(sample.valuesOf(column), all)).toBeLessThan(bound);
      }
    }
  });
});
