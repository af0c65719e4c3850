import { Random } from '../numerics/random';
import { BoundedSequence } from './bounded-sequence';
import { conformalThreshold, deviationThresholds } from './calibrated-threshold';
import { expectedRunLength } from './run-length';

describe('the confidence sequence of bounded values', () => {
  const differences = { lowest: -1, highest: 1, alpha: 0.05 };

  /** Whether the true mean was outside at any look. */
  function everWrong(seed: number, success: number, looks: number): boolean {
    const random = new Random(seed);
    const sequence = new BoundedSequence({ lowest: 0, highest: 1, alpha: 0.1 });
    for (let look = 0; look < looks; look += 1) {
      sequence.add(random.next() < success ? 1 : 0);
      const { low, high } = sequence.interval;
      if (success < low || success > high) return true;
    }
    return false;
  }

  it.each([0.1, 0.5])('holds the mean %d at every one of 500 looks as often as it says', (success) => {
    const wrong = Array.from({ length: 300 }, (_, seed) => everWrong(seed, success, 500)).filter(Boolean).length;
    // At most 10 %: 300 runs would give 30; more than 45 happens once in 500 when it is exactly so.
    expect(wrong).toBeLessThanOrEqual(45);
  });

  it('is what the formulas of its source say, step by step', () => {
    const values = [0.3, -0.2, 0.9, 0.1];
    const sequence = new BoundedSequence(differences);
    for (const value of values) sequence.add(value);
    const x = values.map((value) => (value + 1) / 2);
    const c = Math.log(2 / 0.05);
    const meanOf = (t: number): number => (0.5 + x.slice(0, t).reduce((sum, v) => sum + v, 0)) / (t + 1);
    const varianceOf = (t: number): number =>
      (0.25 + x.slice(0, t).reduce((sum, v, i) => sum + (v - meanOf(i + 1)) ** 2, 0)) / (t + 1);
    const ends = x.map((_, last) => {
      let [weights, weighted, penalty] = [0, 0, 0];
      for (let t = 1; t <= last + 1; t += 1) {
        const weight = Math.min(Math.sqrt((2 * c) / (varianceOf(t - 1) * t * Math.log(1 + t))), 0.5);
        weights += weight;
        weighted += weight * (x[t - 1] ?? 0);
        penalty += 4 * ((x[t - 1] ?? 0) - meanOf(t - 1)) ** 2 * ((-Math.log(1 - weight) - weight) / 4);
      }
      return [weighted / weights - (c + penalty) / weights, weighted / weights + (c + penalty) / weights] as const;
    });
    const low = Math.max(0, ...ends.map(([end]) => end));
    const high = Math.min(1, ...ends.map(([, end]) => end));
    expect(sequence.interval.low).toBeCloseTo(2 * low - 1, 12);
    expect(sequence.interval.high).toBeCloseTo(2 * high - 1, 12);
    expect(sequence.interval.mean).toBeCloseTo(0.275, 12);
  });

  it('finds a difference that is there', () => {
    const random = new Random(4);
    const sequence = new BoundedSequence(differences);
    for (let i = 0; i < 600; i += 1) sequence.add(0.1 + 0.4 * (random.next() - 0.5));
    expect(sequence.interval.low).toBeGreaterThan(0);
    expect(sequence.interval.high).toBeLessThan(0.3);
  });

  it('goes on from its state', () => {
    const [whole, first] = [new BoundedSequence(differences), new BoundedSequence(differences)];
    const values = [0.5, -0.25, 0.125, 1, -1, 0];
    for (const value of values) whole.add(value);
    for (const value of values.slice(0, 3)) first.add(value);
    const second = new BoundedSequence(differences, structuredClone(first.state));
    for (const value of values.slice(3)) second.add(value);
    expect(second.interval).toEqual(whole.interval);
  });

  it('refuses what would void its guarantee', () => {
    expect(() => new BoundedSequence(differences).add(1.5)).toThrow('[-1, 1]');
    expect(() => new BoundedSequence(differences).add(Number.NaN)).toThrow('[-1, 1]');
    expect(() => new BoundedSequence({ ...differences, alpha: 0 })).toThrow('alpha');
    expect(() => new BoundedSequence({ ...differences, lowest: 1 })).toThrow('lowest < highest');
  });
});

describe('the expected run between false alarms', () => {
  it('is that of single windows without hysteresis', () => {
    expect(expectedRunLength(0.05, { k: 1, n: 1 })).toBeCloseTo(20, 12);
    expect(expectedRunLength(0.05, { k: 1, n: 5 })).toBeCloseTo(20, 12);
  });

  it('is that of a run of k for k of k: (1 − pᵏ) / ((1 − p) pᵏ)', () => {
    for (const [p, k] of [
      [0.5, 2],
      [0.05, 3],
      [0.001, 2],
      [1e-6, 2],
    ] as const) {
      const expected = (1 - p ** k) / ((1 - p) * p ** k);
      expect(expectedRunLength(p, { k, n: k }) / expected).toBeCloseTo(1, 9);
    }
  });

  it('is what a simulation of 2 of 3 finds', () => {
    const random = new Random(9);
    let total = 0;
    const runs = 4_000;
    for (let run = 0; run < runs; run += 1) {
      const window: boolean[] = [];
      do {
        window.push(random.next() < 0.2);
        total += 1;
      } while (window.slice(-3).filter(Boolean).length < 2);
    }
    const expected = expectedRunLength(0.2, { k: 2, n: 3 });
    expect(total / runs / expected).toBeGreaterThan(0.95);
    expect(total / runs / expected).toBeLessThan(1.05);
  });

  it('has its ends, and refuses what it cannot compute', () => {
    expect(expectedRunLength(0, { k: 2, n: 3 })).toBe(Infinity);
    expect(expectedRunLength(1, { k: 2, n: 3 })).toBe(2);
    expect(() => expectedRunLength(1.2, { k: 1, n: 1 })).toThrow('probability');
    expect(() => expectedRunLength(0.1, { k: 40, n: 80 })).toThrow('too large');
  });
});

describe('thresholds from the own windows of the reference', () => {
  it('are exceeded by a new window as seldom as asked', () => {
    const random = new Random(17);
    let exceeded = 0;
    for (let trial = 0; trial < 2_000; trial += 1) {
      const distances = Array.from({ length: 39 }, () => random.next() ** 3);
      if (random.next() ** 3 > conformalThreshold(distances, 0.05)) exceeded += 1;
    }
    // Exactly 5 % in expectation: 100 of 2,000, give or take 30.
    expect(exceeded).toBeGreaterThan(70);
    expect(exceeded).toBeLessThan(130);
  });

  it('are infinite when there are too few windows to say so much', () => {
    expect(conformalThreshold([0.1, 0.2], 0.05)).toBe(Infinity);
    expect(conformalThreshold([1, 2, 3], 0.25)).toBe(3);
  });

  it("are NannyML's: three standard deviations about the mean", () => {
    expect(deviationThresholds([1, 3])).toEqual({ low: -1, high: 5 });
  });
});
