// Distances of two distributions given as shares of the same bins or categories; each side sums to 1 unless said otherwise.

const ZERO_FILL = 0.0001;

/**
 * Population stability index Σ (r − c) ln(r / c) (Lewis 1994; Yurdakul 2018 for its distribution: without change it has
 * about (bins − 1)(1/n + 1/m) on average, so small windows look unstable). A share of exactly 0 counts as 0.0001 and
 * nothing is renormalised. ≥ 0, no upper end. Evidently's number when its bins and `withoutZeros` come before.
 */
export function psi(referenceShares: readonly number[], currentShares: readonly number[]): number {
  let sum = 0;
  for (const [bin, share] of referenceShares.entries()) {
    const r = share === 0 ? ZERO_FILL : share;
    const c = (currentShares[bin] ?? 0) === 0 ? ZERO_FILL : (currentShares[bin] ?? 0);
    sum += (r - c) * Math.log(r / c);
  }
  return sum;
}

/**
 * Kullback–Leibler divergence of the reference from the current distribution, Σ r ln(r / c), in nats; both sides are
 * normalised, as scipy.stats.entropy. Infinite when the current side lacks what the reference has (Evidently fills zeros
 * before: `withoutZeros`). Kullback & Leibler (1951).
 */
export function kullbackLeibler(referenceShares: readonly number[], currentShares: readonly number[]): number {
  const sumR = referenceShares.reduce((sum, share) => sum + share, 0);
  const sumC = currentShares.reduce((sum, share) => sum + share, 0);
  let divergence = 0;
  for (const [bin, share] of referenceShares.entries()) {
    const r = share / sumR;
    const c = (currentShares[bin] ?? 0) / sumC;
    if (r > 0) divergence += c > 0 ? r * Math.log(r / c) : Infinity;
  }
  return divergence;
}

/**
 * Jensen–Shannon distance: the root of the divergence, in nats (as scipy.spatial.distance.jensenshannon and Evidently
 * have it): 0 to √ln 2. With base 2, as NannyML, 0 to 1. A metric (Endres & Schindelin 2003).
 */
export function jensenShannon(
  referenceShares: readonly number[],
  currentShares: readonly number[],
  base: number = Math.E,
): number {
  let divergence = 0;
  for (const [bin, p] of referenceShares.entries()) {
    const q = currentShares[bin] ?? 0;
    const middle = (p + q) / 2;
    if (p > 0) divergence += (p * Math.log(p / middle)) / 2;
    if (q > 0) divergence += (q * Math.log(q / middle)) / 2;
  }
  return Math.sqrt(Math.max(divergence, 0) / Math.log(base));
}

/**
 * Hellinger distance √(½ Σ (√r − √c)²), 0 to 1: the same as √(1 − Σ √(r c)), which Evidently and NannyML compute, without
 * its cancellation when the sides are alike (Hellinger 1909).
 */
export function hellinger(referenceShares: readonly number[], currentShares: readonly number[]): number {
  let sum = 0;
  for (const [bin, r] of referenceShares.entries()) {
    sum += (Math.sqrt(r) - Math.sqrt(currentShares[bin] ?? 0)) ** 2;
  }
  return Math.sqrt(Math.min(sum / 2, 1));
}

/** Total variation ½ Σ |r − c|: the largest difference in probability that any event can have. 0 to 1. */
export function totalVariation(referenceShares: readonly number[], currentShares: readonly number[]): number {
  let sum = 0;
  for (const [bin, r] of referenceShares.entries()) sum += Math.abs(r - (currentShares[bin] ?? 0));
  return sum / 2;
}

/** L∞: the largest difference of one category's share (NannyML's "l_infinity"). 0 to 1. */
export function largestDifference(referenceShares: readonly number[], currentShares: readonly number[]): number {
  let largest = 0;
  for (const [bin, r] of referenceShares.entries())
    largest = Math.max(largest, Math.abs(r - (currentShares[bin] ?? 0)));
  return largest;
}
