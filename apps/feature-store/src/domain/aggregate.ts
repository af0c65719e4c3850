import type { FeatureView } from '@headrace/definitions';

export type AggregateFunction = FeatureView['spec']['features'][number]['function'];

/**
 * What one aggregate needs of the records in its window. Each number stands for an exact whole number that was rounded
 * once, to the nearest double: the same in whatever order the records came.
 */
export interface Accumulators {
  /** Records with a value (count without `of`: all records). */
  readonly count: number;
  /** Σx in units of 1e-9. */
  readonly sum: number;
  /** n·Σx² − (Σx)² in units of 1e-18: see radicandOf. */
  readonly radicand: number;
  /** In units of 1e-9. */
  readonly min: number;
  readonly max: number;
}

/** NaN stands for missing. */
export const MISSING = NaN;

/**
 * The value of a feature: the only place where accumulators become one, for online reads and training sets alike. An
 * empty window has count 0; every other function is missing (NaN) then. stddev is that of a population (ddof 0).
 */
export function finishAggregate(kind: AggregateFunction, accumulators: Accumulators): number {
  const { count, sum, radicand, min, max } = accumulators;
  if (kind === 'count') return count;
  if (count === 0) return MISSING;
  switch (kind) {
    case 'sum':
      return sum / 1e9;
    case 'mean':
      return sum / (count * 1e9);
    case 'min':
      return min / 1e9;
    case 'max':
      return max / 1e9;
    case 'stddev':
      return Math.sqrt(radicand) / (count * 1e9);
  }
}

/** n²·variance, exact until its one rounding: the usual difference of large numbers loses nothing. */
export function radicandOf(count: bigint, sum: bigint, sumOfSquares: bigint): number {
  return Number(count * sumOfSquares - sum * sum);
}
