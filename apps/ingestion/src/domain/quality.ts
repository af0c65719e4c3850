import { tumblingWindowOf } from '@headrace/event-time';
import type { Judgement } from './judge-record';
import type { SortedBatch } from './sort-batch';

export interface QualityWindow {
  readonly startMicros: number;
  /** Exclusive. */
  readonly endMicros: number;
  readonly accepted: number;
  readonly rejected: number;
}

export interface QualityPolicy {
  readonly windowMicros: number;
  /** Least share of accepted records. */
  readonly threshold: number;
  /** Windows with fewer records are not judged. */
  readonly minimumRecords: number;
}

/** Undefined: good. Otherwise the window that was found bad. */
export type Degradation = { readonly windowStartMicros: number } | undefined;

export type QualityChange = { readonly kind: 'degraded' | 'restored'; readonly window: QualityWindow };

/**
 * Counts of a batch by window of event time. Repeats count nowhere. A rejected record without a readable event time
 * counts to the window that the partition had reached (`reachedMicros`), which is where it would have been.
 */
export function countWindows(
  judgements: readonly Judgement[],
  sorted: SortedBatch,
  reachedMicros: number,
  windowMicros: number,
): QualityWindow[] {
  const kept = new Set<Judgement>([...sorted.accepted.map((one) => one.accepted), ...sorted.rejected]);
  const windows = new Map<number, { startMicros: number; endMicros: number; accepted: number; rejected: number }>();
  let reached = reachedMicros;
  for (const judgement of judgements) {
    if (!kept.has(judgement)) continue;
    if (judgement.kind === 'accepted') reached = judgement.eventTimeMicros;
    const window = tumblingWindowOf(judgement.eventTimeMicros ?? reached, windowMicros);
    const counts = windows.get(window.startMicros) ?? { ...window, accepted: 0, rejected: 0 };
    counts[judgement.kind] += 1;
    windows.set(window.startMicros, counts);
  }
  return [...windows.values()].sort((a, b) => a.startMicros - b.startMicros);
}

export function scoreOf(window: QualityWindow): number {
  const total = window.accepted + window.rejected;
  return total === 0 ? 1 : window.accepted / total;
}

/**
 * Bad news at once, good news when it is certain: quality is degraded as soon as a window holds enough records and its
 * score is below the threshold; it is restored by a later window that is closed (a newer one has enough records too)
 * with a score at or above it. So it cannot flutter within a window. `windows`: those just counted to when good; those
 * after the bad one when degraded. In any order.
 */
export function judgeQuality(
  state: Degradation,
  windows: readonly QualityWindow[],
  policy: QualityPolicy,
): QualityChange | undefined {
  const judged = windows
    .filter((window) => window.accepted + window.rejected >= policy.minimumRecords)
    .sort((a, b) => a.startMicros - b.startMicros);
  if (state === undefined) {
    const bad = judged.find((window) => scoreOf(window) < policy.threshold);
    return bad && { kind: 'degraded', window: bad };
  }
  const good = judged
    .slice(0, -1)
    .find((window) => window.startMicros > state.windowStartMicros && scoreOf(window) >= policy.threshold);
  return good && { kind: 'restored', window: good };
}
