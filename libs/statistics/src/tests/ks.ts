// Two-sample Kolmogorov–Smirnov test.
import { kolmogorovSurvival } from '../numerics/kolmogorov';
import { eachValue, sorted } from '../samples';
import { UNDECIDED, type TestResult } from './result';

/** Up to this size of the larger sample the p-value is exact. */
const EXACT_UP_TO = 10_000;
/** A column of the exact computation is as long as the smaller sample; beyond this lcm the grid is finer than doubles tell. */
const LARGEST_LCM = 2_147_483_647;

/** D = max over x of |F_a(x) − F_b(x)|, the largest distance of the two empirical distribution functions. NaN is left out. */
export function ks(a: readonly number[], b: readonly number[]): number {
  return distance(sorted(a), sorted(b));
}

/**
 * D and its two-sided p-value, as scipy.stats.ks_2samp(method='auto'): exact (lattice paths) while the larger sample has
 * at most 10,000 values, else the one-sample distribution for round(nm/(n+m)). Assumes independent values; ties make it
 * conservative. NaN is left out.
 */
export function ksTest(a: readonly number[], b: readonly number[]): TestResult {
  const [left, right] = [sorted(a), sorted(b)];
  return ksTestOf(distance(left, right), left.length, right.length);
}

/** The test when D is known, of two samples of so many values. */
export function ksTestOf(statistic: number, left: number, right: number): TestResult {
  const [m, n] = [Math.max(left, right), Math.min(left, right)];
  if (n === 0) return UNDECIDED;
  const divisor = greatestCommonDivisor(m, n);
  if (m > EXACT_UP_TO || (m / divisor) * (n / divisor) >= LARGEST_LCM) {
    return { statistic, pValue: kolmogorovSurvival(statistic, roundHalfEven((m * n) / (m + n))) };
  }
  const steps = Math.round(statistic * (m / divisor) * n);
  if (steps === 0) return { statistic, pValue: 1 };
  const pValue = m === n ? outsideSquare(m, steps) : outsideBand(m, n, divisor, steps);
  return { statistic, pValue: Math.min(Math.max(pValue, 0), 1) };
}

function distance(a: Float64Array, b: Float64Array): number {
  if (a.length === 0 || b.length === 0) return Number.NaN;
  let [i, j, largest] = [0, 0, 0];
  eachValue(a, b, (_, inA, inB) => {
    i += inA;
    j += inB;
    largest = Math.max(largest, Math.abs(i / a.length - j / b.length));
  });
  return largest;
}

/** P(D ≥ h/n) for two samples of n: 2 Σ ± C(2n, n − kh) / C(2n, n) by the reflection principle (Gnedenko & Korolyuk 1951). */
function outsideSquare(n: number, h: number): number {
  let sum = 0;
  for (let k = Math.floor(n / h); k >= 0; k -= 1) {
    let ratio = 1;
    for (let j = 0; j < h; j += 1) ratio *= (n - k * h - j) / (n + k * h + j + 1);
    sum = ratio * (1 - sum);
  }
  return 2 * sum;
}

/**
 * P(D ≥ steps / lcm) for samples of m ≥ n: a random lattice path from (0, 0) to (m, n) leaves the band |n i − m j| <
 * steps·g. With u(i, j) the probability that a path to (i, j) has left it, u = (i·u(i−1, j) + j·u(i, j−1)) / (i + j) within
 * the band and 1 outside (Viehmann 2021, "Numerically more stable computation of the p-values for the two-sample KS test").
 */
function outsideBand(m: number, n: number, divisor: number, steps: number): number {
  const [mg, ng] = [m / divisor, n / divisor];
  const column = new Float64Array(n + 1).fill(1);
  for (let i = 0; i <= m; i += 1) {
    const low = Math.max(Math.floor((ng * i - steps) / mg) + 1, 0);
    const high = Math.min(Math.ceil((ng * i + steps) / mg), n + 1);
    if (high <= low) return 1;
    if (low > 0) column[low - 1] = 1;
    for (let j = low; j < high; j += 1) {
      if (i === 0 && j === 0) column[0] = 0;
      else {
        const fromLeft = i === 0 ? 0 : (column[j] ?? 1) * i;
        const fromBelow = j === 0 ? 0 : (column[j - 1] ?? 1) * j;
        column[j] = (fromLeft + fromBelow) / (i + j);
      }
    }
  }
  return column[n] ?? 1;
}

function greatestCommonDivisor(a: number, b: number): number {
  return b === 0 ? a : greatestCommonDivisor(b, a % b);
}

/** As IEEE and numpy round: a half goes to the even neighbour. */
function roundHalfEven(value: number): number {
  const floor = Math.floor(value);
  if (value - floor !== 0.5) return Math.round(value);
  return floor % 2 === 0 ? floor : floor + 1;
}
