// One column of a drift report: which test, its value, and whether the column drifted. Formulas: libs/statistics.
import {
  contingencyTest,
  eachValue,
  goodnessOfFit,
  jensenShannon,
  ksTest,
  proportionsTest,
  sharesOf,
  wassersteinOfSorted,
} from '@headrace/statistics';

/**
 * Up to 1,000 reference values p-values are asked for, beyond it distances. `evidently`: exactly Evidently 0.7's, which takes
 * the reference's shares as known and each p-value on its own. `headrace`: both sides are samples, and p-values are adjusted
 * over all columns (Benjamini and Hochberg).
 */
export type Rules = 'headrace' | 'evidently';

export type Statistic = 'wasserstein' | 'js' | 'ks_p' | 'chi_square_p' | 'z_p';

export interface Found {
  readonly statistic: Statistic;
  /** NaN when a side has no values. */
  readonly value: number;
  readonly threshold: number;
}

const DISTANCE = 0.1;
const P_VALUE = 0.05;
/** Up to so many reference values a p-value is asked for. */
const MANY = 1_000;
/** Numbers with at most so many different values are taken as categories. */
const FEW_VALUES = 5;
/** The least standard deviation that a Wasserstein distance is divided by, as Evidently's. */
const LEAST_STD = 0.001;

/** Counts of the same categories on both sides. */
export interface Categories {
  readonly reference: readonly number[];
  readonly current: readonly number[];
}

export function categoryDrift({ reference, current }: Categories, rules: Rules): Found {
  const [rows, others] = [sum(reference), sum(current)];
  if (rows > MANY) return distance('js', rows && others ? jensenShannon(sharesOf(reference), sharesOf(current)) : NaN);
  if (rules === 'headrace') return pValue('chi_square_p', contingencyTest(reference, current).pValue);
  if (reference.length > 2) return pValue('chi_square_p', goodnessOfFit(reference, current).pValue);
  return pValue('z_p', proportionsTest(reference[0] ?? 0, rows, current[0] ?? 0, others).pValue);
}

/** Both sides rising and without missing values; `std` (divisor n) of the reference. */
export function numberDrift(reference: Float64Array, current: Float64Array, std: number, rules: Rules): Found {
  const few = valuesOf(reference, current);
  if (few) return categoryDrift(few, rules);
  if (reference.length > MANY) {
    return distance('wasserstein', wassersteinOfSorted(reference, current) / Math.max(std, LEAST_STD));
  }
  return pValue('ks_p', ksTest([...reference], Array.from(current)).pValue);
}

/** Whether a column drifted: distances cross at their threshold; p-values of KS too, chi-square and z below it. */
export function isDrift({ statistic, value, threshold }: Found, rules: Rules): boolean {
  if (statistic === 'js' || statistic === 'wasserstein') return value >= threshold;
  return rules === 'headrace' || statistic === 'ks_p' ? value <= threshold : value < threshold;
}

/** Counts of every value when there are few different ones; undefined when there are more. */
function valuesOf(reference: Float64Array, current: Float64Array): Categories | undefined {
  const step = Math.max(Math.floor(reference.length / 64), 1);
  // Nearly every column of numbers is told by a few of its values.
  const seen = new Set<number>();
  for (let row = 0; row < reference.length; row += step) seen.add(reference[row] ?? 0);
  if (seen.size > FEW_VALUES) return undefined;
  const counts: { reference: number[]; current: number[] } = { reference: [], current: [] };
  eachValue(reference, current, (_value, inReference, inCurrent) => {
    counts.reference.push(inReference);
    counts.current.push(inCurrent);
  });
  return counts.reference.length > FEW_VALUES ? undefined : counts;
}

function distance(statistic: Statistic, value: number): Found {
  return { statistic, value, threshold: DISTANCE };
}

function pValue(statistic: Statistic, value: number): Found {
  return { statistic, value, threshold: P_VALUE };
}

function sum(counts: readonly number[]): number {
  return counts.reduce((total, count) => total + count, 0);
}
