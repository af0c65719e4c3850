// What is kept of a closed window's values, so that later windows can be compared with it, and how such windows are put
// together: the same kind of distribution as the trainer's profile holds.
import { mergeMoments, NO_VALUES, quantileEdges, sortNumbers } from '@headrace/statistics';
import { valuesOf, type ScoredRow } from './evidence';
import type { ReferenceDistribution } from './reference-profile';

/** Values kept of a subject; the window's own, while it has no more. */
export const MOST_KEPT = 1_000;
const BINS = 10;

/** One subject (the prediction, or a feature) in one window. */
export interface WindowSketch {
  readonly subject: string;
  /** Finite values. */
  readonly count: number;
  readonly mean: number;
  /** Sum of squared deviations from the mean. */
  readonly squares: number;
  /**
   * At most 1,000 of the values, rising. Each stands for the `count / length` values around it, so every share that is
   * counted on them is off by at most half of 1/1,000 at either end of its range.
   */
  readonly sample: Float64Array;
}

/** The sketch of a window that is part of a reference. */
export interface KeptSketch extends WindowSketch {
  readonly startMicros: number;
  /** Rows of the window, missing values included. */
  readonly rows: number;
}

/** A sketch of each subject. */
export function sketchesOf(rows: readonly ScoredRow[], subjects: Iterable<string>): WindowSketch[] {
  return Array.from(new Set(subjects), (subject) => {
    const values = sortNumbers(Float64Array.from(valuesOf(rows, subject).filter(Number.isFinite)));
    const count = values.length;
    let [sum, squares] = [0, 0];
    for (const value of values) sum += value;
    const mean = count === 0 ? 0 : sum / count;
    for (const value of values) squares += (value - mean) ** 2;
    const sample = Float64Array.from(groupsOf(count), ({ middle }) => values[middle] ?? Number.NaN);
    return { subject, count, mean, squares, sample };
  });
}

interface Group {
  /** Place in the rising values whose value stands for the group. */
  readonly middle: number;
  readonly size: number;
}

/** Cuts so many ordered values into at most 1,000 groups of neighbours, of sizes that differ by one at most. */
function groupsOf(count: number): Group[] {
  const groups = Math.min(count, MOST_KEPT);
  return Array.from({ length: groups }, (_, index) => {
    const [from, to] = [Math.floor((index * count) / groups), Math.floor(((index + 1) * count) / groups)];
    return { middle: (from + to - 1) >>> 1, size: to - from };
  });
}

/** Values, rising, and for how many each stands. */
interface Weighted {
  readonly values: Float64Array;
  readonly weights: Float64Array;
}

/**
 * The distribution of all windows together, each with the weight of its values; its own windows stay apart in it, so that
 * thresholds by false alarms are found as in a training profile. Bins are the trainer's: one a value up to 10 different
 * ones, else deciles. In any order of the windows the same but for rounding of the standard deviation.
 */
export function distributionOf(
  name: string,
  sketches: readonly KeptSketch[],
  lengthMicros: number | undefined,
): ReferenceDistribution {
  const each = sketches.map(weighted);
  const all = mergeAll(each);
  const sample = spread(all);
  const innerEdges = edgesOf(all.values, sample);
  const counts = each.map((window) => countsOf(window, innerEdges));
  const moments = sketches.reduce(
    (sum, { count, mean, squares, sample: kept }) =>
      mergeMoments(sum, { count, mean, squares, smallest: kept[0] ?? Infinity, largest: kept.at(-1) ?? -Infinity }),
    NO_VALUES,
  );
  return {
    name,
    std: Math.sqrt(moments.squares / moments.count),
    innerEdges,
    counts: innerEdges.concat(0).map((_, bin) => counts.reduce((sum, window) => sum + (window[bin] ?? 0), 0)),
    sample,
    windows: {
      lengthMicros,
      starts: sketches.map((sketch) => sketch.startMicros),
      rows: sketches.map((sketch) => sketch.rows),
      counts,
    },
  };
}

function weighted({ count, sample }: WindowSketch): Weighted {
  return { values: sample, weights: Float64Array.from(groupsOf(count), ({ size }) => size) };
}

function mergeAll(parts: readonly Weighted[]): Weighted {
  if (parts.length < 2) return parts[0] ?? { values: new Float64Array(), weights: new Float64Array() };
  const half = parts.length >>> 1;
  return merge(mergeAll(parts.slice(0, half)), mergeAll(parts.slice(half)));
}

function merge(a: Weighted, b: Weighted): Weighted {
  const length = a.values.length + b.values.length;
  const merged = { values: new Float64Array(length), weights: new Float64Array(length) };
  let [i, j] = [0, 0];
  for (let to = 0; to < length; to += 1) {
    const fromA = j >= b.values.length || (i < a.values.length && (a.values[i] ?? 0) <= (b.values[j] ?? 0));
    const [from, at] = fromA ? [a, i++] : [b, j++];
    merged.values[to] = from.values[at] ?? Number.NaN;
    merged.weights[to] = from.weights[at] ?? 0;
  }
  return merged;
}

/** At most 1,000 values that stand for equally many each, or all of them while every one stands for itself. */
function spread({ values, weights }: Weighted): number[] {
  const total = weights.reduce((sum, weight) => sum + weight, 0);
  let [at, below] = [0, weights[0] ?? 0];
  return groupsOf(total).map(({ middle }) => {
    while (below <= middle) below += weights[++at] ?? Infinity;
    return values[at] ?? Number.NaN;
  });
}

/** As histogram_edges of the trainer, without both ends. */
function edgesOf(rising: Float64Array, sample: readonly number[]): number[] {
  const distinct: number[] = [];
  for (const value of rising) {
    if (value !== distinct.at(-1)) distinct.push(value);
    if (distinct.length > BINS) break;
  }
  if (distinct.length <= BINS) return distinct.slice(1).map((value, index) => ((distinct[index] ?? value) + value) / 2);
  const [smallest, largest] = [sample[0] ?? 0, sample.at(-1) ?? 0];
  return quantileEdges(sample, BINS).filter((edge) => edge > smallest && edge < largest);
}

function countsOf({ values, weights }: Weighted, innerEdges: readonly number[]): number[] {
  const counts = new Array<number>(innerEdges.length + 1).fill(0);
  let bin = 0;
  for (const [index, value] of values.entries()) {
    while (bin < innerEdges.length && value >= (innerEdges[bin] ?? 0)) bin += 1;
    counts[bin] = (counts[bin] ?? 0) + (weights[index] ?? 0);
  }
  return counts;
}
