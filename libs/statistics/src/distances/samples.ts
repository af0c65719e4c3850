// Distances of two samples of numbers, without bins. NaN is left out; NaN when a side is empty.
import { eachValue, sorted } from '../samples';

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

/** √(2 ∫ (F_a − F_b)²), the energy distance as scipy.stats.energy_distance and Evidently's "ed" (Székely & Rizzo 2013). */
export function energyDistance(a: readonly number[], b: readonly number[]): number {
  return Math.sqrt(2 * integral(a, b, (difference) => difference * difference));
}

/** ∫ term(F_a(x) − F_b(x)) dx. */
function integral(a: readonly number[], b: readonly number[], term: (difference: number) => number): number {
  const [left, right] = [sorted(a), sorted(b)];
  if (left.length === 0 || right.length === 0) return Number.NaN;
  let [i, j, area] = [0, 0, 0];
  let before: number | undefined;
  eachValue(left, right, (x, inA, inB) => {
    if (before !== undefined) area += term(i / left.length - j / right.length) * (x - before);
    i += inA;
    j += inB;
    before = x;
  });
  return area;
}
