import { normals } from '../../test/golden';
import { psi } from '../distances/shares';
import { binCounts, sharesOf } from '../distances/bins';
import { Random } from '../numerics/random';
import { ks } from '../tests/ks';
import { CategorySketch } from './category-counts';
import { FixedHistogram } from './fixed-histogram';
import { mergeMoments, momentsOf, NO_VALUES } from './moments-sketch';
import { QuantileSketch } from './quantile-sketch';

/** Parts of one stream, merged in the order of `order`. */
function parts<T>(values: readonly T[], count: number): T[][] {
  const size = Math.ceil(values.length / count);
  return Array.from({ length: count }, (_, part) => values.slice(part * size, (part + 1) * size));
}

const ORDERS = [
  [0, 1, 2, 3, 4],
  [4, 2, 0, 1, 3],
  [3, 4, 1, 0, 2],
];

describe('quantile sketches', () => {
  // Twelve powers of ten, both signs and zeros.
  const random = new Random(1);
  const values = Array.from({ length: 20_000 }, () => {
    const magnitude = 10 ** (random.next() * 12 - 6);
    return random.next() < 0.1 ? 0 : random.next() < 0.4 ? -magnitude : magnitude;
  });
  const rising = [...values].sort((a, b) => a - b);

  it.each(ORDERS.map((order) => [order]))('merged in order %p are within their relative error', (order) => {
    const split = parts(values, 5).map((part) => {
      const sketch = new QuantileSketch(0.01);
      for (const value of part) sketch.add(value);
      return sketch;
    });
    const merged = new QuantileSketch(0.01);
    for (const index of order) merged.merge(JSON.parse(JSON.stringify(split[index]?.state)) as typeof merged.state);
    for (let q = 0; q <= 1; q += 0.01) {
      const exact = rising[Math.floor(q * (rising.length - 1))] ?? 0;
      expect(Math.abs(merged.quantile(q) - exact)).toBeLessThanOrEqual(0.01 * Math.abs(exact) * (1 + 1e-9));
    }
    const whole = new QuantileSketch(0.01);
    for (const value of values) whole.add(value);
    expect(merged.state).toEqual(whole.state);
  });

  it('keep bounded memory, and the upper quantiles, whatever the range', () => {
    const sketch = new QuantileSketch(0.001);
    const wide = Array.from({ length: 5_000 }, (_, i) => 10 ** (-11 + (i / 5_000) * 100));
    for (const value of wide) sketch.add(value);
    expect(Object.keys(sketch.state.positive).length).toBeLessThanOrEqual(2_048);
    const exact = wide[Math.floor(0.99 * 4_999)] ?? 0;
    expect(Math.abs(sketch.quantile(0.99) / exact - 1)).toBeLessThan(0.0011);
  });

  it('say nothing while empty, leave out what is no number, and refuse another error', () => {
    const sketch = new QuantileSketch(0.01);
    sketch.add(Number.NaN);
    sketch.add(Infinity);
    expect(sketch.quantile(0.5)).toBeNaN();
    expect(() => sketch.merge(new QuantileSketch(0.02).state)).toThrow('same relative error');
    expect(() => new QuantileSketch(0)).toThrow('(0, 1)');
  });
});

describe('counts of categories', () => {
  const random = new Random(2);
  // A few frequent categories among thousands of rare ones.
  const stream = Array.from({ length: 20_000 }, () => `c${Math.floor(random.next() ** 4 * 5_000)}`);
  const exact = new Map<string, number>();
  for (const category of stream) exact.set(category, (exact.get(category) ?? 0) + 1);

  it.each(ORDERS.map((order) => [order]))('merged in order %p are within their bound', (order) => {
    const split = parts(stream, 5).map((part) => {
      const sketch = new CategorySketch(50);
      for (const category of part) sketch.add(category);
      return sketch;
    });
    const merged = new CategorySketch(50);
    for (const index of order) merged.merge(JSON.parse(JSON.stringify(split[index]?.state)) as typeof merged.state);
    expect(merged.state.total).toBe(stream.length);
    expect(merged.state.error).toBeLessThanOrEqual(stream.length / 51);
    expect(Object.keys(merged.state.counts).length).toBeLessThanOrEqual(50);
    const short = [...exact].map(([category, count]) => count - merged.count(category));
    expect(Math.min(...short)).toBeGreaterThanOrEqual(0);
    expect(Math.max(...short)).toBeLessThanOrEqual(merged.state.error);
  });

  it('are exact while there are few', () => {
    const sketch = new CategorySketch(3);
    for (const category of ['a', 'b', 'a', '__proto__']) sketch.add(category);
    expect([sketch.count('a'), sketch.count('__proto__'), sketch.count('z'), sketch.state.error]).toEqual([2, 1, 0, 0]);
    expect(() => new CategorySketch(0)).toThrow('capacity');
  });
});

describe('histograms of fixed bins', () => {
  const edges = [-2, -1, -0.5, 0, 0.5, 1, 2];
  const [a, b] = [normals([3, 4_000, 0, 1, 1]), normals([4, 3_000, 0.2, 1.2, 1])];

  function histogramOf(values: readonly number[]): FixedHistogram {
    const histogram = new FixedHistogram(edges);
    for (const value of values) histogram.add(value);
    return histogram;
  }

  it('merged have the counts, and so the PSI, of the whole', () => {
    const merged = histogramOf([]);
    for (const part of parts(b, 4).reverse()) merged.merge(histogramOf(part).state);
    expect(merged.state.counts).toEqual(binCounts(b, edges, 'left'));
    const reference = sharesOf(binCounts(a, edges, 'left'));
    expect(psi(reference, sharesOf(merged.state.counts))).toBe(psi(reference, sharesOf(binCounts(b, edges, 'left'))));
  });

  it('hold the KS distance of the values between their bounds', () => {
    const { low, high } = histogramOf(a).ks(histogramOf(b).state);
    expect(low).toBeLessThanOrEqual(ks(a, b));
    expect(high).toBeGreaterThanOrEqual(ks(a, b));
    expect(high).toBeLessThan(0.3);
  });

  it('count missing values apart and refuse other edges', () => {
    const histogram = histogramOf([1, Number.NaN]);
    expect(histogram.state.missing).toBe(1);
    expect(() => histogram.merge(new FixedHistogram([1]).state)).toThrow('same edges');
  });
});

describe('moments', () => {
  const values = normals([5, 3_000, 1e6, 1, null]);

  it.each(ORDERS.map((order) => [order]))('merged in order %p are those of the whole', (order) => {
    const split = parts(values, 5).map(momentsOf);
    const merged = order.reduce((state, index) => mergeMoments(state, split[index] ?? NO_VALUES), NO_VALUES);
    const centre = values.reduce((sum, value) => sum + (value - 1e6), 0) / values.length;
    const squares = values.reduce((sum, value) => sum + (value - 1e6 - centre) ** 2, 0);
    expect(merged.count).toBe(3_000);
    expect(merged.mean - 1e6).toBeCloseTo(centre, 8);
    expect(merged.squares / squares).toBeCloseTo(1, 9);
    expect([merged.smallest, merged.largest]).toEqual([Math.min(...values), Math.max(...values)]);
  });

  it('of nothing stay nothing', () => {
    expect(momentsOf([Number.NaN])).toEqual(NO_VALUES);
  });
});
