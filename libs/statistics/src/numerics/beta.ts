// Binomial probabilities and the regularised incomplete beta integral.
import { deviance, stirlingError } from './gamma';

const TINY = 1e-300;

/**
 * Γ(n+1) / (Γ(k+1) Γ(n−k+1)) · p^k (1−p)^(n−k), for real 0 ≤ k ≤ n, by Loader's saddle-point expansion (2000): about
 * 1e-14 relative also where the powers alone would underflow.
 */
export function binomialTerm(k: number, n: number, p: number): number {
  const q = 1 - p;
  if (p <= 0) return k === 0 ? 1 : 0;
  if (q <= 0) return k === n ? 1 : 0;
  if (k === 0) return Math.exp(n * Math.log1p(-p));
  if (k === n) return Math.exp(n * Math.log(p));
  const exponent =
    stirlingError(n) - stirlingError(k) - stirlingError(n - k) - deviance(k, n * p) - deviance(n - k, n * q);
  return Math.exp(exponent) * Math.sqrt(n / (2 * Math.PI * k * (n - k)));
}

/** Regularised incomplete beta I_x(a, b), a, b > 0, 0 ≤ x ≤ 1: Lentz's continued fraction (Press et al., 6.4). */
export function betaI(x: number, a: number, b: number): number {
  if (!(a > 0 && b > 0 && x >= 0 && x <= 1)) return Number.NaN;
  if (x === 0 || x === 1) return x;
  return x < (a + 1) / (a + b + 2) ? lower(x, a, b) : 1 - lower(1 - x, b, a);
}

/** P(|T| ≥ |t|) of Student's t with `degrees` degrees of freedom. */
export function studentTwoSided(t: number, degrees: number): number {
  return betaI(degrees / (degrees + t * t), degrees / 2, 0.5);
}

function lower(x: number, a: number, b: number): number {
  return ((binomialTerm(a, a + b, x) * b) / (a + b)) * fraction(x, a, b);
}

function fraction(x: number, a: number, b: number): number {
  let c = 1;
  let d = 1 / nonZero(1 - ((a + b) * x) / (a + 1));
  let result = d;
  for (let m = 1; m < 100_000; m += 1) {
    const even = (m * (b - m) * x) / ((a + 2 * m - 1) * (a + 2 * m));
    d = 1 / nonZero(1 + even * d);
    c = nonZero(1 + even / c);
    result *= d * c;
    const odd = (-(a + m) * (a + b + m) * x) / ((a + 2 * m) * (a + 2 * m + 1));
    d = 1 / nonZero(1 + odd * d);
    c = nonZero(1 + odd / c);
    result *= d * c;
    if (Math.abs(d * c - 1) < 4e-16) break;
  }
  return result;
}

function nonZero(value: number): number {
  return Math.abs(value) < TINY ? TINY : value;
}
