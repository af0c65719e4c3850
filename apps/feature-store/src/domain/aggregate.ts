import type { FeatureView } from '@headrace/definitions';

export type AggregateFunction = FeatureView['spec']['features'][number]['function'];

/** What one aggregate needs of the records in its window: exact whole numbers, the same in whatever order they came. */
export interface Accumulators {
  /** Records with a value (count without `of`: all records). */
  readonly count: bigint;
  /** Units of 1e-9; 0 without records. */
  readonly sum: bigint;
  /** Units of 1e-18; 0 without records. */
  readonly sumOfSquares: bigint;
  readonly min: bigint | undefined;
  readonly max: bigint | undefined;
}

/** NaN stands for missing. */
export const MISSING = NaN;

/**
 * The value of a feature: the only place where exact accumulators become a double, for online reads and training sets
 * alike. An empty window has count 0; every other function is missing (NaN) then. stddev is that of a population
 * (ddof 0): sqrt(n·Σx² − (Σx)²) / n, whose radicand is exact.
 */
export function finishAggregate(kind: AggregateFunction, accumulators: Accumulators): number {
  const { count, sum, sumOfSquares, min, max } = accumulators;
  const n = Number(count);
  if (kind === 'count') return n;
  if (count === 0n) return MISSING;
  switch (kind) {
    case 'sum':
      return Number(sum) / 1e9;
    case 'mean':
      return Number(sum) / (n * 1e9);
    case 'min':
      return min === undefined ? MISSING : Number(min) / 1e9;
    case 'max':
      return max === undefined ? MISSING : Number(max) / 1e9;
    case 'stddev':
      return Math.sqrt(Number(count * sumOfSquares - sum * sum)) / (n * 1e9);
  }
}
