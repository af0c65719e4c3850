// The statistics that a drift test may name, of a window against the champion's reference profile.
import {
  andersonDarling,
  contingencyTest,
  energyDistance,
  hellinger,
  jensenShannon,
  ksTestOf,
  kullbackLeibler,
  mannWhitney,
  normedWasserstein,
  psi,
  sharesOf,
  totalVariation,
  withoutZeros,
} from '@headrace/statistics';
import type { Monitor } from '@headrace/definitions';
import type { SubjectWindow } from './drift-window';
import type { ReferenceDistribution } from './reference-profile';

type Named = NonNullable<Monitor['spec']['drift']>['tests'][number]['statistic'];
/** Of one subject. */
export type DriftStatistic = Exclude<Named, 'default' | 'reconstruction_error'>;

/** Of the window's counts at the values of the reference's sample (at most 1,000). */
const OF_POINTS: Partial<Record<DriftStatistic, (sample: readonly number[], window: SubjectWindow) => number>> = {
  ks: (sample, { counts }) => counts.ks(sample),
  ks_p: (sample, { counts }) => ksTestOf(counts.ks(sample), sample.length, counts.count).pValue,
};

/** Of the values themselves. */
const OF_VALUES: Partial<
  Record<DriftStatistic, (reference: ReferenceDistribution, values: readonly number[]) => number>
> = {
  wasserstein: (reference, values) => normedWasserstein(reference.sample, values, reference.std),
  energy: (reference, values) => energyDistance(reference.sample, values),
  anderson_darling_p: (reference, values) => andersonDarling(reference.sample, values).pValue,
  mann_whitney_p: (reference, values) => mannWhitney(reference.sample, values).pValue,
};

/** Whether counts do not tell it. */
export function needsValues(statistic: DriftStatistic): boolean {
  return OF_VALUES[statistic] !== undefined;
}

type OfCounts = (reference: readonly number[], window: readonly number[]) => number;

/** Of the counts in the profile's bins: of the whole reference. */
const OF_COUNTS: Partial<Record<DriftStatistic, OfCounts>> = {
  psi: (reference, window) => psi(sharesOf(reference), sharesOf(window)),
  js: (reference, window) => jensenShannon(sharesOf(reference), sharesOf(window)),
  hellinger: (reference, window) => hellinger(sharesOf(reference), sharesOf(window)),
  total_variation: (reference, window) => totalVariation(sharesOf(reference), sharesOf(window)),
  kullback_leibler: (reference, window) =>
    kullbackLeibler(withoutZeros(sharesOf(reference)), withoutZeros(sharesOf(window))),
  chi_square_p: (reference, window) => contingencyTest(reference, window).pValue,
  g_p: (reference, window) => contingencyTest(reference, window, 'log-likelihood').pValue,
};

/** A distance that needs nothing but counts in the same bins; undefined for the others. */
export function distanceOfCounts(statistic: DriftStatistic): OfCounts | undefined {
  return isPValue(statistic) ? undefined : OF_COUNTS[statistic];
}

/** Whether small values speak for drift. */
export function isPValue(statistic: string): boolean {
  return statistic.endsWith('_p');
}

/** NaN without values on either side. */
export function driftStatistic(
  statistic: DriftStatistic,
  reference: ReferenceDistribution,
  window: SubjectWindow,
): number {
  if (reference.sample.length === 0) return Number.NaN;
  const ofPoints = OF_POINTS[statistic];
  if (ofPoints) return ofPoints(reference.sample, window);
  const ofValues = OF_VALUES[statistic];
  if (ofValues) return ofValues(reference, window.values());
  // The profile counted its bins closed at the left; the window does the same, or ties would look like drift.
  const counts = window.counts.inBins(reference.innerEdges);
  if (counts.every((count) => count === 0)) return Number.NaN;
  return OF_COUNTS[statistic]?.(reference.counts, counts) ?? Number.NaN;
}
