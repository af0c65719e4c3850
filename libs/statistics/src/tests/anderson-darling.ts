import { eachValue, sorted } from '../samples';
import { UNDECIDED, type TestResult } from './result';

/** Table 2 of Scholz & Stephens for two samples (m = 1): critical values b₀ + b₁ + b₂ and their significance. */
const CRITICAL = [0.325, 1.226, 1.961, 2.718, 3.752, 4.592, 6.546] as const;
const SIGNIFICANCE = [0.25, 0.1, 0.05, 0.025, 0.01, 0.005, 0.001] as const;

/**
 * Two-sample Anderson–Darling test with midranks, normalised: Scholz & Stephens (1987), JASA 82(399), 918–924, equations 7
 * and following, as scipy.stats.anderson_ksamp(variant='midrank'). Weighs the tails more than KS. The p-value is
 * interpolated between 0.25 and 0.001 (log p as a quadratic of the statistic) and held at these ends. Minimum: four values
 * together and two different ones. NaN is left out.
 */
export function andersonDarling(a: readonly number[], b: readonly number[]): TestResult {
  const [left, right] = [sorted(a), sorted(b)];
  const total = left.length + right.length;
  if (left.length === 0 || right.length === 0 || total < 4) return UNDECIDED;
  const sums = [0, 0];
  let [seen, different] = [0, 0];
  const below = [0, 0];
  eachValue(left, right, (_, inA, inB) => {
    const both = inA + inB;
    const middle = seen + both / 2;
    const weight = both / total / (middle * (total - middle) - (total * both) / 4);
    for (const [side, [here, size]] of [[inA, left.length] as const, [inB, right.length] as const].entries()) {
      const upTo = (below[side] ?? 0) + here / 2;
      sums[side] = (sums[side] ?? 0) + weight * (total * upTo - middle * size) ** 2;
      below[side] = (below[side] ?? 0) + here;
    }
    seen += both;
    different += 1;
  });
  if (different < 2) return UNDECIDED;
  const raw = (((sums[0] ?? 0) / left.length + (sums[1] ?? 0) / right.length) * (total - 1)) / total;
  const statistic = (raw - 1) / Math.sqrt(varianceOf(left.length, right.length));
  return { statistic, pValue: significanceOf(statistic) };
}

/** Variance of the statistic of two samples without change. */
function varianceOf(m: number, n: number): number {
  const total = m + n;
  const reciprocals = 1 / m + 1 / n;
  let [harmonic, g] = [0, 0];
  for (let i = 1; i <= total - 2; i += 1) {
    harmonic += 1 / (total - i);
    g += harmonic / (i + 1);
  }
  const h = harmonic + 1;
  const a = 4 * g - 6 + (10 - 6 * g) * reciprocals;
  const b = 4 * (2 * g - 4) + 16 * h + (2 * g - 14 * h - 4) * reciprocals - 8 * h + 4 * g - 6;
  const c = 4 * (6 * h + 2 * g - 2) + 2 * (4 * h - 4 * g + 6) + (2 * h - 6) * reciprocals + 4 * h;
  const d = 4 * (2 * h + 6) - 8 * h;
  return (a * total ** 3 + b * total ** 2 + c * total + d) / ((total - 1) * (total - 2) * (total - 3));
}

const FIT = quadraticFit(CRITICAL, SIGNIFICANCE.map(Math.log));

function significanceOf(statistic: number): number {
  if (statistic < (CRITICAL[0] ?? 0)) return SIGNIFICANCE[0];
  if (statistic > (CRITICAL.at(-1) ?? 0)) return SIGNIFICANCE.at(-1) ?? 0;
  return Math.exp(FIT[0] + FIT[1] * statistic + FIT[2] * statistic ** 2);
}

/** Least squares of y on 1, x, x²: Gram–Schmidt over the seven points, coefficients of the powers of x. */
function quadraticFit(x: readonly number[], y: readonly number[]): readonly [number, number, number] {
  const n = x.length;
  const x0 = x.reduce((sum, value) => sum + value, 0) / n;
  const u = x.map((value) => value - x0);
  const u2 = sumOf(u, (value) => value ** 2);
  const slope = sumOf(u, (value) => value ** 3) / u2;
  const v = u.map((value) => value ** 2 - slope * value - u2 / n);
  const c0 = sumOf(y, (value) => value) / n;
  const c1 = sumOf(u, (value, i) => value * (y[i] ?? 0)) / u2;
  const c2 = sumOf(v, (value, i) => value * (y[i] ?? 0)) / sumOf(v, (value) => value ** 2);
  // v = (x − x₀)² − slope (x − x₀) − u2/n
  return [c0 - c1 * x0 + c2 * (x0 ** 2 + slope * x0 - u2 / n), c1 - c2 * (2 * x0 + slope), c2];
}

function sumOf(values: readonly number[], term: (value: number, index: number) => number): number {
  return values.reduce((sum, value, index) => sum + term(value, index), 0);
}
