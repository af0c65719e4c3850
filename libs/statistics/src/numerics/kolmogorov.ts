// Distribution of the one-sample Kolmogorov–Smirnov statistic for n values, as Simard & L'Ecuyer (2011, Journal of
// Statistical Software 39(11)) divide the plane and as scipy.stats.kstwo has it.
import { binomialTerm } from './beta';
import { logGamma } from './gamma';

const PI2 = Math.PI * Math.PI;

/** P(D_n ≥ d), n ≥ 1. */
export function kolmogorovSurvival(d: number, n: number): number {
  if (Number.isNaN(d) || !(n >= 1)) return Number.NaN;
  if (d >= 1) return 0;
  const t = n * d;
  if (t <= 0.5) return 1;
  if (t <= 1) return 1 - Math.exp(logGamma(n + 1) - n * Math.log(n) + n * Math.log(2 * t - 1));
  if (t >= n - 1) return 2 * Math.exp(n * Math.log1p(-d));
  const square = t * d;
  const upperTail = d >= 0.5 || square >= (n <= 140 ? 4 : 2.2);
  if (upperTail) return square >= 370 && n > 140 ? 0 : Math.min(2 * smirnov(d, n), 1);
  const exact = n <= 140 || (n <= 100_000 && n * d ** 1.5 <= 1.4);
  return clipped(1 - (exact ? durbinMatrix(d, n) : pelzGood(d, n)));
}

/** One-sided P(D⁺_n ≥ d) = d Σ_j C(n, j) (d + j/n)^(j−1) (1 − d − j/n)^(n−j); all terms are positive (Smirnov 1944). */
function smirnov(d: number, n: number): number {
  const last = Math.floor(n * (1 - d));
  let sum = 0;
  for (let j = 0; j <= last; j += 1) {
    const p = d + j / n;
    if (p < 1) sum += binomialTerm(j, n, p) / p;
  }
  return d * sum;
}

/** Exact P(D_n ≤ d): n!/nⁿ times an element of Durbin's matrix to the n-th power (Marsaglia, Tsang & Wang 2003, JSS 8(18)). */
function durbinMatrix(d: number, n: number): number {
  const k = Math.ceil(n * d);
  const h = k - n * d;
  const size = 2 * k - 1;
  let matrix: Scaled = { values: durbin(size, h), exponent: 0 };
  let power: Scaled = { values: identity(size), exponent: 0 };
  for (let rest = n; rest > 0; rest = Math.floor(rest / 2)) {
    if (rest % 2 === 1) power = product(power, matrix, size);
    if (rest > 1) matrix = product(matrix, matrix, size);
  }
  let result = power.values[(k - 1) * size + (k - 1)] ?? 0;
  let exponent = power.exponent;
  for (let i = 1; i <= n; i += 1) {
    result *= i / n;
    if (result < 1e-140) {
      result *= 1e140;
      exponent -= 140;
    }
  }
  return result * 10 ** exponent;
}

interface Scaled {
  readonly values: Float64Array;
  /** Power of ten that the values are to be multiplied by. */
  readonly exponent: number;
}

function durbin(size: number, h: number): Float64Array {
  const values = new Float64Array(size * size);
  const factorials = new Float64Array(size + 1).fill(1);
  for (let i = 1; i <= size; i += 1) factorials[i] = (factorials[i - 1] ?? 1) * i;
  for (let i = 0; i < size; i += 1) {
    for (let j = 0; j < size; j += 1) {
      if (i - j + 1 >= 0) values[i * size + j] = 1 / (factorials[i - j + 1] ?? 1);
    }
  }
  for (let i = 0; i < size; i += 1) {
    const edge = (1 - h ** (i + 1)) / (factorials[i + 1] ?? 1);
    values[i * size] = edge;
    values[(size - 1) * size + (size - 1 - i)] = edge;
  }
  const corner = 1 - 2 * h ** size + Math.max(2 * h - 1, 0) ** size;
  values[(size - 1) * size] = corner / (factorials[size] ?? 1);
  return values;
}

function identity(size: number): Float64Array {
  const values = new Float64Array(size * size);
  for (let i = 0; i < size; i += 1) values[i * size + i] = 1;
  return values;
}

function product(a: Scaled, b: Scaled, size: number): Scaled {
  const values = new Float64Array(size * size);
  for (let i = 0; i < size; i += 1) {
    for (let k = 0; k < size; k += 1) {
      const left = a.values[i * size + k] ?? 0;
      if (left === 0) continue;
      for (let j = 0; j < size; j += 1) {
        values[i * size + j] = (values[i * size + j] ?? 0) + left * (b.values[k * size + j] ?? 0);
      }
    }
  }
  const middle = (size - 1) / 2;
  if ((values[middle * size + middle] ?? 0) < 1e140) return { values, exponent: a.exponent + b.exponent };
  return { values: values.map((value) => value * 1e-140), exponent: a.exponent + b.exponent + 140 };
}

/** P(D_n ≤ d) by the expansion of Pelz & Good (1976), JRSS B 38(2): K₀ + K₁/√n + K₂/n + K₃/n^1.5 at z = √n d. */
function pelzGood(d: number, n: number): number {
  const z = Math.sqrt(n) * d;
  const [z2, z4, z6] = [z ** 2, z ** 4, z ** 6];
  const last = Math.ceil((16 * z) / Math.PI);
  const k = [0, 0, 0, 0];
  for (let i = last; i >= 1; i -= 1) {
    const m2 = (2 * i - 1) ** 2;
    const weight = Math.exp((-PI2 / 8 / z2) * m2);
    const terms = [
      1,
      -z2 + (PI2 / 4) * m2,
      6 * z6 + 2 * z4 + ((2 * z4 - 5 * z2) * PI2 * m2) / 4 + (PI2 ** 2 * (1 - 2 * z2) * m2 ** 2) / 16,
      -30 * z6 -
        90 * z ** 8 +
        (PI2 * (135 * z4 - 96 * z6) * m2) / 4 +
        (PI2 ** 2 * (212 * z4 - 60 * z2) * m2 ** 2) / 16 +
        (PI2 ** 3 * (5 - 30 * z2) * m2 ** 3) / 64,
    ];
    for (const [order, term] of terms.entries()) k[order] = (k[order] ?? 0) + weight * term;
  }
  let extra2 = 0;
  let extra3 = 0;
  for (let i = last; i >= 1; i -= 1) {
    const weight = i * i * Math.exp((-PI2 / 2 / z2) * i * i);
    extra2 += weight;
    extra3 += weight * (3 * z2 - PI2 * i * i);
  }
  const root = Math.sqrt(2 * Math.PI);
  const k0 = (root * (k[0] ?? 0)) / z;
  const k1 = (root * (k[1] ?? 0)) / (6 * z4);
  const k2 = (root * (k[2] ?? 0)) / (72 * z ** 7) - (PI2 * root * extra2) / (36 * z ** 3);
  const k3 = (root * (k[3] ?? 0)) / (6480 * z ** 10) + (PI2 * root * extra3) / (216 * z6);
  return k0 + k1 / Math.sqrt(n) + k2 / n + k3 / n ** 1.5;
}

function clipped(probability: number): number {
  return Math.min(Math.max(probability, 0), 1);
}
