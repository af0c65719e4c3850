// Where windows end: after a declared length, or where enough predictions have come.
import type { Monitor } from '@headrace/definitions';
import { parseDuration } from '@headrace/event-time';
import { closesByPredictions, type SignalKind } from './retraining-policy';

export interface CountRule {
  readonly predictions: number;
  /** From the first prediction in the window on; Infinity: it waits. */
  readonly maximumAgeMicros: number;
}

/** Undefined: windows of a length. */
export function countRuleOf({ window }: Monitor['spec']): CountRule | undefined {
  if (typeof window === 'string') return undefined;
  const { predictions, maximumAge } = window;
  return { predictions, maximumAgeMicros: maximumAge === undefined ? Infinity : parseDuration(maximumAge) };
}

/** Of every window, in microseconds; undefined: windows by count. */
export function windowLengthOf({ window }: Monitor['spec']): number | undefined {
  return typeof window === 'string' ? parseDuration(window) : undefined;
}

/** What the time of a window is: as-of times of predictions, or event times of their labels. */
export type WindowClock = 'prediction' | 'label';

export function clockOf(kind: SignalKind): WindowClock {
  return closesByPredictions(kind) ? 'prediction' : 'label';
}

/** Why a window by count ended. */
export type ClosedBy = 'predictions' | 'age';

/** The first predictions at or after the start of a window, by time; as many as it may hold at most. */
export interface FirstPredictions {
  readonly rows: number;
  readonly firstMicros: number;
  readonly lastMicros: number;
}

export interface Cut {
  readonly endMicros: number;
  readonly closedBy: ClosedBy;
}

/**
 * Just behind the last prediction that it may hold (those of the same microsecond stay together), or where its maximum age is
 * over. Undefined: as far as is known it has no end.
 */
export function cutOf({ rows, firstMicros, lastMicros }: FirstPredictions, rule: CountRule): Cut | undefined {
  if (rows === 0) return undefined;
  const byAge = firstMicros + rule.maximumAgeMicros;
  if (rows >= rule.predictions && lastMicros < byAge) return { endMicros: lastMicros + 1, closedBy: 'predictions' };
  return Number.isFinite(byAge) ? { endMicros: byAge, closedBy: 'age' } : undefined;
}
