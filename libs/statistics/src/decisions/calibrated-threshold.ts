import { mean, variance } from '../samples';

/**
 * Threshold that a new window's distance exceeds with a probability of at most `falseAlarms` when nothing has changed, from
 * the distances of the reference's own windows: their ⌈(m + 1)(1 − falseAlarms)⌉-th smallest (split conformal, Vovk et al.
 * 2005; Lei et al. 2018). Holds for any distribution of distances, for windows that could change places. Needs m ≥ 1/falseAlarms − 1
 * windows; fewer cannot say so much, and the answer is Infinity.
 */
export function conformalThreshold(distances: readonly number[], falseAlarms: number): number {
  const rising = distances.filter((distance) => !Number.isNaN(distance)).sort((a, b) => a - b);
  const rank = Math.ceil((rising.length + 1) * (1 - falseAlarms) - 1e-12);
  return rank > rising.length ? Infinity : (rising[Math.max(rank, 1) - 1] ?? Infinity);
}

/** NannyML's thresholds: mean ± 3 standard deviations (ddof 0) of the reference's own windows. Assumes a normal shape. */
export function deviationThresholds(
  distances: readonly number[],
  deviations = 3,
): { readonly low: number; readonly high: number } {
  const centre = mean(distances);
  const half = deviations * Math.sqrt(variance(distances, 0));
  return { low: centre - half, high: centre + half };
}
