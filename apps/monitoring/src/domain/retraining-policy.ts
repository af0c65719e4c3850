import type { Monitor } from '@headrace/definitions';
import { formatTime, parseDuration } from '@headrace/event-time';
import { quietUntil } from './quiet-hours';

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
  /** How far event time has come beyond it; not before it. */
  readonly eventClockMicros: number;
  readonly wallClockMicros: number;
  /** Event time of the last request of this monitor. */
  readonly lastRequestEventMicros: number | undefined;
  /** Requests of this monitor within the last 24 hours of the wall clock. */
  readonly requestsWithinDay: number;
  /** Requests of this monitor since a person acted on the model. */
  readonly requestsWithoutPerson: number;
  readonly rolloutInProgress: boolean;
  /** Of the model, by any monitor: without a verdict on its version yet. */
  readonly requestOpen: boolean;
}

/** What may stand in the way of a request that the signals ask for. */
export const OBSTACLES = [
  'rollout_in_progress',
  'request_open',
  'person_needed',
  'cooldown',
  'daily_maximum',
  'quiet_hours',
] as const;
export type Obstacle = (typeof OBSTACLES)[number];

export interface Held {
  readonly kind: 'held';
  readonly why: Obstacle;
  /** As a sentence. */
  readonly reason: string;
  readonly signal: Signal;
  /** When the obstacle is gone by itself: cooldown by event time, quiet hours by their clock; undefined: nobody knows. */
  readonly untilMicros: number | undefined;
}

export type Retraining =
  | { readonly kind: 'no_signal' }
  | Held
  | { readonly kind: 'request'; readonly signal: Signal; readonly reason: string };

/** What a policy said, and by which figures. */
export interface RetrainingDecision {
  readonly rules: RetrainingRules;
  readonly retraining: Retraining;
  readonly requestsWithoutPerson: number;
  readonly nowEventMicros: number;
}

export function decideRetraining(rules: RetrainingRules, now: Circumstances): Retraining {
  const wanted = [...new Set(rules.on)];
  const standing = now.standing.filter((signal) => wanted.includes(signal.kind));
  const enough = rules.match === 'all' ? standing.length === wanted.length : standing.length > 0;
  const signal = latest(standing);
  if (!enough || signal === undefined) return { kind: 'no_signal' };
  const obstacle = obstacleTo(rules, now);
  if (obstacle) return { kind: 'held', signal, ...obstacle };
  const names = standing.map((entry) => entry.kind).sort();
  return {
    kind: 'request',
    signal,
    reason: names.length > 1 ? `${names.join(' and ')} stand at the same time` : `${signal.kind} stands`,
  };
}

/** The first of them: what a person can do something about is told before what time does away with. */
function obstacleTo(
  rules: RetrainingRules,
  now: Circumstances,
): Pick<Held, 'why' | 'reason' | 'untilMicros'> | undefined {
  const untilMicros = undefined;
  if (now.rolloutInProgress) {
    return { why: 'rollout_in_progress', reason: 'a rollout of the endpoint is in progress', untilMicros };
  }
  if (now.requestOpen) {
    return { why: 'request_open', reason: 'a request of the model is without a verdict on its version', untilMicros };
  }
  const { maximumWithoutPerson: maximum, quietHours } = rules;
  if (maximum !== undefined && now.requestsWithoutPerson >= maximum) {
    const found = `${now.requestsWithoutPerson} automatic requests in a row, at most ${maximum}`;
    return {
      why: 'person_needed',
      reason: `${found}: it waits for a person to train or roll out by hand`,
      untilMicros,
    };
  }
  const last = now.lastRequestEventMicros;
  if (last !== undefined) {
    const end = last + parseDuration(rules.cooldown);
    if (now.nowEventMicros < end) {
      return { why: 'cooldown', reason: `cool-down until ${formatTime(end)} of event time`, untilMicros: end };
    }
  }
  if (now.requestsWithinDay >= rules.maximumPerDay) {
    return { why: 'daily_maximum', reason: `${now.requestsWithinDay} requests within 24 hours`, untilMicros };
  }
  if (!quietHours) return undefined;
  const ofEvents = quietHours.clock === 'event';
  const end = quietUntil(quietHours, ofEvents ? now.eventClockMicros : now.wallClockMicros);
  if (end === undefined) return undefined;
  const local = `${quietHours.to} ${quietHours.timeZone}`;
  const reason = `quiet hours until ${formatTime(end)} (${local})${ofEvents ? ' of event time' : ''}`;
  return { why: 'quiet_hours', reason, untilMicros: end };
}

/** The later of the signals: it made the condition true. Of one window end, the one that is judged last. */
function latest(signals: readonly Signal[]): Signal | undefined {
  return [...signals]
    .sort((a, b) => a.sinceMicros - b.sinceMicros || SIGNAL_KINDS.indexOf(a.kind) - SIGNAL_KINDS.indexOf(b.kind))
    .at(-1);
}
