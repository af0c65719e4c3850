/** Up to this many reference values a p-value is asked for; beyond it nearly every difference is significant. */
const MANY = 1_000;
/** Up to this many different values a feature is taken as a set of categories. */
const FEW_VALUES = 5;

export interface DefaultTest {
  readonly statistic: 'ks_p' | 'chi_square_p' | 'wasserstein' | 'js';
  /** p-values cross at or below, distances at or above it. */
  readonly threshold: number;
}

/**
 * The test of a feature when none was chosen, by Evidently's rule: reference of at most 1,000 values: KS (chi-square for at
 * most five different values), p ≤ 0.05; larger: normed Wasserstein (Jensen–Shannon for at most five), ≥ 0.1. Unlike
 * Evidently's, the chi-square takes both sides as samples, and p-values are meant to be adjusted over all features
 * (benjaminiHochberg).
 */
export function defaultTest(referenceSize: number, differentValues: number): DefaultTest {
  const few = differentValues <= FEW_VALUES;
  if (referenceSize <= MANY) return { statistic: few ? 'chi_square_p' : 'ks_p', threshold: 0.05 };
  return { statistic: few ? 'js' : 'wasserstein', threshold: 0.1 };
}
