import { normalSurvival } from '../numerics/normal';
import { eachValue, sorted } from '../samples';
import { UNDECIDED, type TestResult } from './result';

/** Without ties and with a sample of at most this size the distribution is exact. */
const EXACT_UP_TO = 8;

/**
 * Mann–Whitney's U of the first sample and its two-sided p-value, as scipy.stats.mannwhitneyu(method='auto'): exact while
 * one sample has at most eight values and there are no ties, else the normal approximation with corrections for ties and
 * continuity. Tests for a shift; assumes independent values. Minimum: one value each. NaN is left out.
 */
export function mannWhitney(a: readonly number[], b: readonly number[]): TestResult {
  const [left, right] = [sorted(a), sorted(b)];
  const [m, n] = [left.length, right.length];
  if (m === 0 || n === 0) return UNDECIDED;
  let [rankSum, seen, ties] = [0, 0, 0];
  eachValue(left, right, (_, inA, inB) => {
    const both = inA + inB;
    rankSum += inA * (seen + (both + 1) / 2);
    ties += both ** 3 - both;
    seen += both;
  });
  const statistic = rankSum - (m * (m + 1)) / 2;
  const larger = Math.max(statistic, m * n - statistic);
  const exact = ties === 0 && Math.min(m, n) <= EXACT_UP_TO;
  const tail = exact ? exactTail(larger, m, n) : approximateTail(larger, m, n, ties);
  return { statistic, pValue: Math.min(2 * tail, 1) };
}

function approximateTail(u: number, m: number, n: number, ties: number): number {
  const total = m + n;
  const deviation = Math.sqrt(((m * n) / 12) * (total + 1 - ties / (total * (total - 1))));
  return normalSurvival((u - (m * n) / 2 - 0.5) / deviation);
}

/**
 * P(U ≥ u): of the C(m+n, n) orders those with at least u, counted as coefficients of the Gaussian binomial (Mann & Whitney
 * 1947). The distribution is symmetric, so the lower tail is summed; whole numbers, exact below 2⁵³.
 */
function exactTail(u: number, m: number, n: number): number {
  const [few, many] = [Math.min(m, n), Math.max(m, n)];
  const counts = new Float64Array(m * n - Math.ceil(u) + 1);
  counts[0] = 1;
  let orders = 1;
  for (let k = 1; k <= few; k += 1) {
    for (let i = counts.length - 1; i >= many + k; i -= 1) counts[i] = (counts[i] ?? 0) - (counts[i - many - k] ?? 0);
    for (let i = k; i < counts.length; i += 1) counts[i] = (counts[i] ?? 0) + (counts[i - k] ?? 0);
    orders *= (many + k) / k;
  }
  return counts.reduce((sum, count) => sum + count, 0) / orders;
}
