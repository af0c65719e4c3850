import type { Monitor } from '@headrace/definitions';
import { parseDuration } from '@headrace/event-time';

/** In the order in which windows that end together are judged. */
export const SIGNAL_KINDS = ['drift', 'estimate', 'performance', 'concept'] as const;
export type SignalKind = (typeof SIGNAL_KINDS)[number];
/** The others close by the event time of labels. */
export function closesByPredictions(kind: SignalKind): boolean {
  return kind === 'drift' || kind === 'estimate';
}

export type RetrainingRules = NonNullable<Monitor['spec']['retraining']>;

/** A signal that stands now. */
export interface Signal {
  readonly kind: SignalKind;
  /** End of the window that turned it on. */
  readonly sinceMicros: number;
  /** DriftDetected (drift, concept) or PerformanceDegraded (estimate, performance). */
  readonly eventId: string;
  readonly correlationId: string;
  readonly traceparent: string | undefined;
}

export interface Circumstances {
  readonly standing: readonly Signal[];
  /** Event time: end of the newest closed window. */
  readonly nowEventMicros: number;
  /** Event time of the last request of this monitor. */
  readonly lastRequestEventMicros: number | undefined;
  /** Requests of this monitor within the last 24 hours of the wall clock. */
  readonly requestsWithinDay: number;
  readonly rolloutInProgress: boolean;
  /** Of the model, by any monitor: without a verdict on its version yet. */
  readonly requestOpen: boolean;
}

export type Wait = 'no_signal' | 'rollout_in_progress' | 'request_open' | 'cooldown' | 'daily_maximum';

export type Retraining =
  | { readonly kind: 'wait'; readonly why: Wait }
  | { readonly kind: 'request'; readonly signal: Signal; readonly reason: string };

export function decideRetraining(rules: RetrainingRules, now: Circumstances): Retraining {
  const wanted = [...new Set(rules.on)];
  const standing = now.standing.filter((signal) => wanted.includes(signal.kind));
  const enough = rules.match === 'all' ? standing.length === wanted.length : standing.length > 0;
  const signal = latest(standing);
  if (!enough || signal === undefined) return { kind: 'wait', why: 'no_signal' };
  if (now.rolloutInProgress) return { kind: 'wait', why: 'rollout_in_progress' };
  if (now.requestOpen) return { kind: 'wait', why: 'request_open' };
  const last = now.lastRequestEventMicros;
  if (last !== undefined && now.nowEventMicros - last < parseDuration(rules.cooldown)) {
    return { kind: 'wait', why: 'cooldown' };
  }
  if (now.requestsWithinDay >= rules.maximumPerDay) return { kind: 'wait', why: 'daily_maximum' };
  const names = standing.map((entry) => entry.kind).sort();
  return {
    kind: 'request',
    signal,
    reason: names.length > 1 ? `${names.join(' and ')} stand at the same time` : `${signal.kind} stands`,
  };
}

/** The later of the signals: it made the condition true. Of one window end, the one that is judged last. */
function latest(signals: readonly Signal[]): Signal | undefined {
  return [...signals]
    .sort((a, b) => a.sinceMicros - b.sinceMicros || SIGNAL_KINDS.indexOf(a.kind) - SIGNAL_KINDS.indexOf(b.kind))
    .at(-1);
}
