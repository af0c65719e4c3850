import { mean } from './samples';

export interface ConfidenceInterval {
  readonly mean: number;
  readonly low: number;
  readonly high: number;
}

/**
 * Anytime-valid interval for the mean of block values: the t-test's mixture over effect sizes N(0, τ²) with the right Haar
 * prior on the scale, inverted. Valid at every look at once, so it may be looked at after every block. Infinite while
 * nothing can be said. Formula: docs/adr/0010 (Gönen et al. 2005; Rouder et al. 2009); validity under optional stopping:
 * Hendriksen, de Heide & Grünwald 2021, Wang & Ramdas 2024.
 */
export function confidenceSequence(values: readonly number[], alpha: number, tau = 1): ConfidenceInterval {
  const n = values.length;
  const centre = mean(values);
  const unbounded = { mean: centre, low: -Infinity, high: Infinity };
  if (n < 2) return unbounded;
  const variance = values.reduce((sum, value) => sum + (value - centre) ** 2, 0) / (n - 1);
  const g = 1 + n * tau * tau;
  const r = Math.exp((2 / n) * Math.log(Math.sqrt(g) / alpha));
  if (r >= g) return unbounded;
  const half = Math.sqrt((variance / n) * (((n - 1) * (r - 1)) / (1 - r / g)));
  return { mean: centre, low: centre - half, high: centre + half };
}
