// Intervals of measured values. Two-sided, 95 % unless `level` says otherwise; rows are taken as independent.
import { normalQuantile } from '../numerics/normal';
import { Random } from '../numerics/random';

/** An estimate with its interval. */
export interface Interval {
  readonly value: number;
  readonly low: number;
  readonly high: number;
}

/**
 * A proportion with Wilson's score interval (Wilson 1927, JASA 22, 209–212), as scipy's binomtest().proportion_ci('wilson'):
 * right also near 0 and 1 and for few trials. Without trials NaN within [0, 1].
 */
export function proportionInterval(successes: number, trials: number, level = 0.95): Interval {
  if (trials === 0) return { value: Number.NaN, low: 0, high: 1 };
  const z = normalQuantile(1 - (1 - level) / 2);
  const p = successes / trials;
  const centre = (p + (z * z) / (2 * trials)) / (1 + (z * z) / trials);
  const half = (z / (1 + (z * z) / trials)) * Math.sqrt((p * (1 - p)) / trials + (z * z) / (4 * trials * trials));
  return { value: p, low: Math.max(centre - half, 0), high: Math.min(centre + half, 1) };
}

/**
 * Percentile bootstrap (Efron 1979) of any statistic of rows: `statistic` is asked with row numbers drawn with
 * replacement. The same seed gives the same interval. Costs `replicates` evaluations; wants about 50 rows.
 */
export function bootstrapInterval(
  rows: number,
  statistic: (indexes: readonly number[]) => number,
  { replicates = 500, level = 0.95, seed = 1 }: { replicates?: number; level?: number; seed?: number } = {},
): Interval {
  const random = new Random(seed);
  const value = statistic(Array.from({ length: rows }, (_, index) => index));
  const found = Array.from({ length: replicates }, () =>
    statistic(Array.from({ length: rows }, () => random.below(rows))),
  ).filter((replicate) => !Number.isNaN(replicate));
  found.sort((a, b) => a - b);
  const at = (share: number): number => found[Math.round(share * (found.length - 1))] ?? Number.NaN;
  return { value, low: at((1 - level) / 2), high: at(1 - (1 - level) / 2) };
}
