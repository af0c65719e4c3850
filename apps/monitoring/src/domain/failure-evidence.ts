// Does the candidate fail to score more often than the champion? Decided without labels, at every look.
import type { Endpoint } from '@headrace/definitions';

export type FailureRules = Endpoint['spec']['rollout']['analysis']['failures'];

export interface ScoreCounts {
  /** Requests that the version was asked to score, failed ones included. */
  readonly asked: number;
  readonly failed: number;
}

export interface FailureEvidence {
  readonly worse: boolean;
  /** Evidence against "it fails no more often than tolerated": 1 / α or more decides. Infinity when it cannot be so. */
  readonly eValue: number;
  /** The share of failures that is tolerated. */
  readonly tolerated: number;
}

/**
 * e-value of the hypothesis that the candidate's probability p of failing is at most p₀ = (champion's failed + 1) /
 * (asked + 2) + tolerance: the likelihood of its counts under p uniform on [0, 1], f! (n − f)! / (n + 1)!, over the largest
 * likelihood that the hypothesis allows, p₀^f (1 − p₀)^(n − f) when f / n ≥ p₀. Under every p ≤ p₀ that is at most a
 * martingale that begins at 1, so by Ville's inequality it ever reaches 1 / α with probability ≤ α at most: it may be looked
 * at after every request. (Ramdas et al. 2023, "Game-theoretic statistics and safe anytime-valid inference", section 2.)
 * The champion's share is taken as known, with one failure added in its favour.
 */
export function failureEvidence(
  candidate: ScoreCounts,
  champion: ScoreCounts,
  rules: FailureRules,
  alpha: number,
): FailureEvidence {
  const { asked: n, failed: f } = candidate;
  const tolerated = Math.min((champion.failed + 1) / (champion.asked + 2) + rules.tolerance, 0.999);
  if (n === 0 || f / n <= tolerated) return { worse: false, eValue: 1, tolerated };
  const mixture = logFactorial(f) + logFactorial(n - f) - logFactorial(n + 1);
  const largest = f * Math.log(tolerated) + (n - f) * Math.log1p(-tolerated);
  const eValue = Math.exp(mixture - largest);
  return { worse: f >= rules.minimum && eValue >= 1 / alpha, eValue, tolerated };
}

/** ln n!; Stirling's series beyond 32, exact to 1e-12 there. */
export function logFactorial(n: number): number {
  if (n < 32) {
    let sum = 0;
    for (let factor = 2; factor <= n; factor += 1) sum += Math.log(factor);
    return sum;
  }
  return (
    n * Math.log(n) - n + 0.5 * Math.log(2 * Math.PI * n) + 1 / (12 * n) - 1 / (360 * n ** 3) + 1 / (1260 * n ** 5)
  );
}
