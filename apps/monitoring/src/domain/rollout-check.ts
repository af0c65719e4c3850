// What can be said about a rollout without any label: its candidate fails, or nobody asks.
import type { Endpoint } from '@headrace/definitions';
import { parseDuration } from '@headrace/event-time';
import { failureEvidence, type ScoreCounts } from './failure-evidence';

export type CheckRules = Pick<Endpoint['spec']['rollout']['analysis'], 'alpha' | 'failures' | 'inconclusiveAfter'>;

export interface CheckedRollout {
  readonly step: number;
  /** Wall clock; 0: not known. */
  readonly stepStartedMicros: number;
  readonly candidate: ScoreCounts & { readonly lastError: string };
  readonly champion: ScoreCounts;
  /** Wall clock of the newest report of any request; 0: none. */
  readonly reportedMicros: number;
  readonly rolledBack: boolean;
  readonly inconclusiveStep: number;
}

export type Finding =
  | { readonly kind: 'nothing' }
  | { readonly kind: 'roll_back'; readonly reason: string }
  /** Said once for each step; the rollout stays where it is. */
  | { readonly kind: 'inconclusive'; readonly reason: string };

export function checkRollout(rollout: CheckedRollout, rules: CheckRules, nowMicros: number): Finding {
  const { candidate, champion, step, stepStartedMicros, reportedMicros } = rollout;
  if (rollout.rolledBack) return { kind: 'nothing' };
  const { worse, tolerated } = failureEvidence(candidate, champion, rules.failures, rules.alpha);
  if (worse) {
    const share = (tolerated * 100).toFixed(1);
    const counts = `${candidate.failed} of ${candidate.asked} requests (tolerated: ${share} %)`;
    const last = candidate.lastError === '' ? '' : `; last: ${candidate.lastError}`;
    return { kind: 'roll_back', reason: `the candidate could not score ${counts}${last}` };
  }
  if (rollout.inconclusiveStep >= step || stepStartedMicros === 0) return { kind: 'nothing' };
  const silentSince = Math.max(stepStartedMicros, reportedMicros);
  if (nowMicros - silentSince < parseDuration(rules.inconclusiveAfter)) return { kind: 'nothing' };
  const reason = `no request for ${rules.inconclusiveAfter} in step ${step}: nothing can be said about the candidate`;
  return { kind: 'inconclusive', reason };
}
