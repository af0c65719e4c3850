// Distances of two samples or two histograms.
import { present } from './psi';

/** Two-sample Kolmogorov–Smirnov: the largest distance of the two empirical distribution functions. NaN is left out. */
export function ks(reference: readonly number[], current: readonly number[]): number {
  const a = present(reference).sort((x, y) => x - y);
  const b = present(current).sort((x, y) => x - y);
  if (a.length === 0 || b.length === 0) return Number.NaN;
  let i = 0;
  let j = 0;
  let largest = 0;
  while (i < a.length && j < b.length) {
    const x = Math.min(a[i] ?? Infinity, b[j] ?? Infinity);
    while (i < a.length && (a[i] ?? Infinity) <= x) i += 1;
    while (j < b.length && (b[j] ?? Infinity) <= x) j += 1;
    largest = Math.max(largest, Math.abs(i / a.length - j / b.length));
  }
  return largest;
}

/**
 * Jensen–Shannon distance of two histograms: the root of the divergence, in nats (as scipy.spatial.distance.jensenshannon
 * and Evidently have it): 0 to √ln 2.
 */
export function jensenShannon(referenceShares: readonly number[], currentShares: readonly number[]): number {
  let divergence = 0;
  for (const [bin, p] of referenceShares.entries()) {
    const q = currentShares[bin] ?? 0;
    const middle = (p + q) / 2;
    if (p > 0) divergence += (p * Math.log(p / middle)) / 2;
    if (q > 0) divergence += (q * Math.log(q / middle)) / 2;
  }
  return Math.sqrt(Math.max(divergence, 0));
}

/**
 * First Wasserstein distance of two samples, divided by the reference's standard deviation (ddof 0, at least 0.001), as
 * Evidently norms it. NaN is left out.
 */
export function normedWasserstein(
  reference: readonly number[],
  current: readonly number[],
  referenceStd: number,
): number {
  const a = present(reference).sort((x, y) => x - y);
  const b = present(current).sort((x, y) => x - y);
  if (a.length === 0 || b.length === 0) return Number.NaN;
  const points = [...a, ...b].sort((x, y) => x - y);
  let i = 0;
  let j = 0;
  let area = 0;
  for (let k = 0; k < points.length - 1; k += 1) {
    const x = points[k] ?? 0;
    while (i < a.length && (a[i] ?? Infinity) <= x) i += 1;
    while (j < b.length && (b[j] ?? Infinity) <= x) j += 1;
    area += Math.abs(i / a.length - j / b.length) * ((points[k + 1] ?? x) - x);
  }
  return area / Math.max(referenceStd, 0.001);
}
