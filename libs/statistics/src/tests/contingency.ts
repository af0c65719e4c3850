// Chi-square and G tests on counts of categories.
import { chiSquareSurvival } from '../numerics/gamma';
import { UNDECIDED, type TestResult } from './result';

export interface ContingencyResult extends TestResult {
  readonly degreesOfFreedom: number;
}

export type Divergence =
  /** Pearson: Σ (observed − expected)² / expected. */
  | 'pearson'
  /** Log-likelihood ratio, G: 2 Σ observed ln(observed / expected). */
  | 'log-likelihood';

/**
 * Homogeneity of two rows of counts over the same categories, as scipy.stats.chi2_contingency: both rows are samples. With
 * one degree of freedom Yates's continuity correction moves every count by up to a half towards what is expected.
 * Categories that occur in neither row do not count. Rule of thumb: expected counts of at least 5 (Cochran 1954).
 */
export function contingencyTest(
  a: readonly number[],
  b: readonly number[],
  divergence: Divergence = 'pearson',
): ContingencyResult {
  const columns = pairs(a, b).filter(([x, y]) => x + y > 0);
  const sumA = columns.reduce((sum, [x]) => sum + x, 0);
  const sumB = columns.reduce((sum, [, y]) => sum + y, 0);
  const total = sumA + sumB;
  const degreesOfFreedom = columns.length - 1;
  if (sumA === 0 || sumB === 0) return { ...UNDECIDED, degreesOfFreedom };
  if (degreesOfFreedom === 0) return { statistic: 0, pValue: 1, degreesOfFreedom };
  let statistic = 0;
  for (const [x, y] of columns) {
    for (const [count, row] of [[x, sumA] as const, [y, sumB] as const]) {
      const expected = ((x + y) * row) / total;
      const away = expected - count;
      const corrected = degreesOfFreedom === 1 ? count + Math.sign(away) * Math.min(0.5, Math.abs(away)) : count;
      statistic += termOf(divergence, corrected, expected);
    }
  }
  return { statistic, pValue: chiSquareSurvival(statistic, degreesOfFreedom), degreesOfFreedom };
}

/**
 * Goodness of fit of `current` to the shares of `reference`, scaled to the current size and taken as known: scipy's
 * chisquare and power_divergence, and Evidently's "chisquare" and "g_test". A category that the reference never had makes
 * Pearson's and G's statistic infinite and p = 0. Too strict when the reference is no larger than the window: its own
 * noise is left out (use contingencyTest then).
 */
export function goodnessOfFit(
  reference: readonly number[],
  current: readonly number[],
  divergence: Divergence = 'pearson',
): ContingencyResult {
  const columns = pairs(reference, current).filter(([x, y]) => x + y > 0);
  const sumReference = columns.reduce((sum, [x]) => sum + x, 0);
  const sumCurrent = columns.reduce((sum, [, y]) => sum + y, 0);
  const degreesOfFreedom = columns.length - 1;
  if (sumReference === 0 || sumCurrent === 0) return { ...UNDECIDED, degreesOfFreedom };
  if (degreesOfFreedom === 0) return { statistic: 0, pValue: 1, degreesOfFreedom };
  let statistic = 0;
  for (const [x, y] of columns) statistic += termOf(divergence, y, (x * sumCurrent) / sumReference);
  return { statistic, pValue: chiSquareSurvival(statistic, degreesOfFreedom), degreesOfFreedom };
}

function termOf(divergence: Divergence, observed: number, expected: number): number {
  if (expected === 0) return observed === 0 ? 0 : Infinity;
  if (divergence === 'pearson') return (observed - expected) ** 2 / expected;
  return observed === 0 ? 0 : 2 * observed * Math.log(observed / expected);
}

function pairs(a: readonly number[], b: readonly number[]): (readonly [number, number])[] {
  return Array.from({ length: Math.max(a.length, b.length) }, (_, i) => [a[i] ?? 0, b[i] ?? 0] as const);
}
