// Distances of two samples of numbers, without bins. NaN is left out; NaN when a side is empty.
import { sorted } from '../samples';

/**
 * First Wasserstein (earth mover's) distance ∫ |F_a − F_b|, in the unit of the values, as
 * scipy.stats.wasserstein_distance: the mean way that the mass has to be moved.
 */
export function wasserstein(a: readonly number[], b: readonly number[]): number {
  return integral(a, b, Math.abs);
}

/**
 * Wasserstein distance divided by the reference's standard deviation (ddof 0, at least 0.001), as Evidently norms it: a
 * shift of every value by one standard deviation is 1.
 */
export function normedWasserstein(
  reference: readonly number[],
  current: readonly number[],
  referenceStd: number,
): number {
  return wasserstein(reference, current) / Math.max(referenceStd, 0.001);
}

/** `wasserstein` of values that are sorted already and hold no NaN: large samples are ordered once for all that is asked of them. */
export function wassersteinOfSorted(a: Float64Array, b: Float64Array): number {
  return integralOfSorted(a, b, Math.abs);
}

/** √(2 ∫ (F_a − F_b)²), the energy distance as scipy.stats.energy_distance and Evidently's "ed" (Székely & Rizzo 2013). */
export function energyDistance(a: readonly number[], b: readonly number[]): number {
  return Math.sqrt(2 * integral(a, b, (difference) => difference * difference));
}

/** ∫ term(F_a(x) − F_b(x)) dx. */
function integral(a: readonly number[], b: readonly number[], term: (difference: number) => number): number {
  return integralOfSorted(sorted(a), sorted(b), term);
}

function integralOfSorted(a: Float64Array, b: Float64Array, term: (difference: number) => number): number {
  const [n, m] = [a.length, b.length];
  if (n === 0 || m === 0) return Number.NaN;
  let [i, j, area] = [0, 0, 0];
  let before = Math.min(a[0] ?? 0, b[0] ?? 0);
  // As eachValue, but for calls: this runs over millions of values.
  while (i < n || j < m) {
    const x = i < n && (j === m || (a[i] ?? 0) <= (b[j] ?? 0)) ? (a[i] ?? 0) : (b[j] ?? 0);
    if (x !== before) area += term(i / n - j / m) * (x - before);
    while (i < n && a[i] === x) i += 1;
    while (j < m && b[j] === x) j += 1;
    before = x;
  }
  return area;
}
