// References that move with time: which closed windows of the same version a window is compared with.
import type { Monitor } from '@headrace/definitions';
import { formatTime, MICROS, type Window } from '@headrace/event-time';

type DriftReference = NonNullable<NonNullable<Monitor['spec']['drift']>['reference']>;
export type LiveRules = Exclude<DriftReference, { readonly kind: 'training' }>;

export const WEEK = 7 * MICROS.d;

/** Undefined: windows are compared with the version's training profile. */
export function liveRulesOf(spec: Monitor['spec']): LiveRules | undefined {
  const reference = spec.drift?.reference;
  return reference === undefined || reference.kind === 'training' ? undefined : reference;
}

/** How many windows of the reference must be there before anything is compared with it. */
export function requiredOf(rules: LiveRules): number {
  return rules.atLeast ?? (rules.kind === 'moving' ? rules.windows : rules.weeks);
}

/** Starts of the windows that lie whole weeks before, the oldest first. */
export function weeksBefore({ startMicros }: Pick<Window, 'startMicros'>, weeks: number): number[] {
  return Array.from({ length: weeks }, (_, index) => startMicros - (weeks - index) * WEEK);
}

/** What a window was, or was to be, compared with. */
export interface WindowReference {
  readonly kind: LiveRules['kind'];
  /** Start of its oldest window and end of its newest; 0 without any. */
  readonly fromMicros: number;
  readonly toMicros: number;
  /** Closed windows with the minimum sample that were found. */
  readonly windows: number;
  readonly required: number;
  /** In them. */
  readonly predictions: number;
}

export function describedReference(
  rules: LiveRules,
  found: readonly { readonly startMicros: number; readonly endMicros: number; readonly rows: number }[],
): WindowReference {
  return {
    kind: rules.kind,
    fromMicros: found[0]?.startMicros ?? 0,
    toMicros: found.at(-1)?.endMicros ?? 0,
    windows: found.length,
    required: requiredOf(rules),
    predictions: found.reduce((sum, { rows }) => sum + rows, 0),
  };
}

/** Whether there is enough to compare with. */
export function isEnough(reference: Pick<WindowReference, 'windows' | 'required'>): boolean {
  return reference.windows >= reference.required;
}

/** "7 windows with 1680 predictions from … to …". */
export function referenceText({ windows, predictions, fromMicros, toMicros }: WindowReference): string {
  return `${windows} windows with ${predictions} predictions from ${formatTime(fromMicros)} to ${formatTime(toMicros)}`;
}
