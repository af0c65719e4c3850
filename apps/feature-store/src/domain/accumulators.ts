// Which exact accumulators a set of features needs, and how features are finished from them. Both readers (SQL of
// Postgres for online reads, SQL of DuckDB for training sets) fetch these columns and finish them here.
import { finishAggregate, radicandOf } from './aggregate';
import type { CompiledFeature } from './feature-view';

/**
 * Sums are wanted rounded to the nearest double, which is what a reader may send, or whole, to be computed with.
 */
export type AccumulatorKind = 'count' | 'sum' | 'wholeSum' | 'sumOfSquares' | 'min' | 'max';

export interface AccumulatorColumn {
  readonly kind: AccumulatorKind;
  /** Index into the view's inputs; undefined: whole records (count only). */
  readonly input: number | undefined;
  readonly windowMicros: number;
}

/** bigint: exact. number: exact, or the nearest double of the exact one. null: no record. */
export type AccumulatorValue = bigint | number | null | undefined;

export interface AccumulatorPlan {
  readonly columns: readonly AccumulatorColumn[];
  /** Each length once, microseconds. */
  readonly windows: readonly number[];
  /** Values of the features, in their order, from the values of the columns; NaN = missing. */
  readonly finish: (values: readonly AccumulatorValue[]) => number[];
}

const NEEDS: Readonly<Record<CompiledFeature['function'], readonly AccumulatorKind[]>> = {
  count: ['count'],
  sum: ['count', 'sum'],
  mean: ['count', 'sum'],
  stddev: ['count', 'wholeSum', 'sumOfSquares'],
  min: ['count', 'min'],
  max: ['count', 'max'],
};

export function planAccumulators(features: readonly CompiledFeature[]): AccumulatorPlan {
  const columns: AccumulatorColumn[] = [];
  const indexes = new Map<string, number>();
  const indexOf = (column: AccumulatorColumn): number => {
    const key = `${column.kind} ${column.input ?? 'record'} ${column.windowMicros}`;
    const known = indexes.get(key);
    if (known !== undefined) return known;
    indexes.set(key, columns.length);
    return columns.push(column) - 1;
  };
  const finishers = features.map((feature) => {
    const { function: kind, input, windowMicros } = feature;
    const at: Partial<Record<AccumulatorKind, number>> = {};
    for (const need of NEEDS[kind]) at[need] = indexOf({ kind: need, input, windowMicros });
    return (values: readonly AccumulatorValue[]): number => {
      const value = (need: AccumulatorKind): bigint | number => values[at[need] ?? -1] ?? 0;
      return finishAggregate(kind, {
        count: Number(value('count')),
        sum: Number(value('sum')),
        radicand:
          kind === 'stddev'
            ? radicandOf(BigInt(value('count')), BigInt(value('wholeSum')), BigInt(value('sumOfSquares')))
            : 0,
        min: Number(value('min')),
        max: Number(value('max')),
      });
    };
  });
  const windows = [...new Set(columns.map(({ windowMicros }) => windowMicros))];
  return { columns, windows, finish: (values) => finishers.map((finish) => finish(values)) };
}
