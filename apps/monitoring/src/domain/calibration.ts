// How often a drift test crosses although nothing changed, from the windows that the reference itself consists of.
import { conformalThreshold, expectedRunLength } from '@headrace/statistics';
import type { Monitor } from '@headrace/definitions';
import { MICROS, parseDuration, tumblingWindowOf } from '@headrace/event-time';
import { distanceOfCounts, type DriftStatistic } from './drift-statistics';
import type { Rule } from './hysteresis';
import type { ReferenceDistribution, ReferenceWindows } from './reference-profile';

/** The windows that a monitor judges. */
export interface Cadence {
  /** Undefined: windows by count. */
  readonly windowMicros: number | undefined;
  /** Windows with fewer rows are not judged. */
  readonly minimumSample: number;
}

/**
 * Distances of the reference's own windows from the rest of the reference, in windows as long as the monitor's; each is left
 * out of what it is compared with, as a new window is no part of the reference. Windows below the minimum sample are left
 * out. Empty when the profile has no windows, when theirs are longer than the monitor's or do not divide them, when only one of
 * both is by count, and for statistics that need more than counts.
 */
export function ownDistances(reference: ReferenceDistribution, statistic: DriftStatistic, cadence: Cadence): number[] {
  const distance = distanceOfCounts(statistic);
  if (!distance) return [];
  return ownWindows(reference, cadence).map((counts) =>
    distance(
      reference.counts.map((count, bin) => count - (counts[bin] ?? 0)),
      counts,
    ),
  );
}

/** Counts of the reference's windows of the monitor's length that would be judged; a whole reference in one window has none. */
function ownWindows({ windows }: ReferenceDistribution, cadence: Cadence): (readonly number[])[] {
  if (!windows) return [];
  const own = windowsOf(windows, cadence).filter(({ counts }) => counts.some((count) => count > 0));
  return own.length < 2 ? [] : own.map(({ counts }) => counts);
}

/** Windows of the monitor's length that have its minimum sample, added up from the reference's; none where lengths do not fit. */
export function windowsOf(
  windows: ReferenceWindows,
  { windowMicros, minimumSample }: Cadence,
): { readonly rows: number; readonly counts: readonly number[] }[] {
  const { lengthMicros } = windows;
  if ((windowMicros === undefined) !== (lengthMicros === undefined)) return [];
  if ((windowMicros ?? 0) % (lengthMicros ?? 1) !== 0) return [];
  const merged = new Map<number, { rows: number; counts: number[] }>();
  for (const [index, start] of windows.starts.entries()) {
    const startMicros = windowMicros === undefined ? start : tumblingWindowOf(start, windowMicros).startMicros;
    const counts = windows.counts[index] ?? [];
    const into = merged.get(startMicros) ?? { rows: 0, counts: counts.map(() => 0) };
    into.rows += windows.rows[index] ?? 0;
    for (const [bin, count] of counts.entries()) into.counts[bin] = (into.counts[bin] ?? 0) + count;
    merged.set(startMicros, into);
  }
  return [...merged.values()].filter(({ rows }) => rows >= minimumSample);
}

export interface CalibratedThreshold {
  /** Infinity: there are too few windows to be so sure. */
  readonly threshold: number;
  /** Probability that a window without change crosses it. NaN: not known. */
  readonly falseAlarms: number;
}

/**
 * The threshold that a window without change reaches with a probability of at most `falseAlarms`: the next number above the
 * split-conformal one (Vovk et al. 2005; Lei et al. 2018), because tests cross at their threshold already. Holds for any shape of distances as far as
 * windows could change places; windows of a trend or a season do not.
 */
export function thresholdFor(own: readonly number[], falseAlarms: number): CalibratedThreshold {
  const highest = conformalThreshold(own, falseAlarms);
  if (!Number.isFinite(highest)) return { threshold: Infinity, falseAlarms: Number.NaN };
  const threshold = highest + Math.max(Math.abs(highest) * Number.EPSILON, Number.MIN_VALUE);
  return { threshold, falseAlarms: falseAlarmsOf(own, threshold) };
}

/** Probability that a window without change reaches a threshold: as a window that could be any of these, (k + 1) / (m + 1). */
export function falseAlarmsOf(own: readonly number[], threshold: number): number {
  if (own.length === 0) return Number.NaN;
  return (own.filter((distance) => distance >= threshold).length + 1) / (own.length + 1);
}

/**
 * Probability, at most, that `crossings` tests of a window cross without any change: Σ p / crossings over distances (Markov's
 * inequality, however they depend on each other), plus the false discovery rate of the p-values, which are adjusted
 * together: with nothing to discover it is the probability of any. NaN when that of a distance is not known.
 */
export function windowFalseAlarms(
  distances: readonly number[],
  pValueThresholds: readonly number[],
  crossings: number,
): number {
  const byDistances = distances.reduce((sum, p) => sum + p, 0) / crossings;
  return Math.min(byDistances + Math.max(0, ...pValueThresholds), 1);
}

export interface ExpectedRun {
  /** Windows until the rule stands for the first time by chance, at least. */
  readonly windows: number;
  /** Event time, of windows of a length; else 0. */
  readonly seconds: number;
  /** Of windows by count; else 0. */
  readonly predictions: number;
}

/** Undefined when it is not known, or k of n is too large to be computed. */
export function expectedRun(
  falseAlarms: number | undefined,
  rule: Rule,
  spec: Pick<Monitor['spec'], 'window'>,
): ExpectedRun | undefined {
  if (falseAlarms === undefined || !(falseAlarms > 0)) return undefined;
  try {
    const windows = expectedRunLength(falseAlarms, rule);
    const { window } = spec;
    return typeof window === 'string'
      ? { windows, seconds: (windows * parseDuration(window)) / MICROS.s, predictions: 0 }
      : { windows, seconds: 0, predictions: windows * window.predictions };
  } catch (error) {
    if (error instanceof RangeError) return undefined;
    throw error;
  }
}
