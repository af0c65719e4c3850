// Which exact accumulators a set of features needs, and how features are finished from them. Both readers (SQL of
// Postgres for online reads, SQL of DuckDB for training sets) fetch these columns and finish them here.
import { finishAggregate } from './aggregate';
import type { CompiledFeature } from './feature-view';

export type AccumulatorKind = 'count' | 'sum' | 'sumOfSquares' | 'min' | 'max';

export interface AccumulatorColumn {
  readonly kind: AccumulatorKind;
  /** Index into the view's inputs; undefined: whole records (count only). */
  readonly input: number | undefined;
  readonly windowMicros: number;
}

export interface AccumulatorPlan {
  readonly columns: readonly AccumulatorColumn[];
  /** Values of the features, in their order, from the values of the columns; NaN = missing. */
  readonly finish: (values: readonly (bigint | null | undefined)[]) => number[];
}

const NEEDS: Readonly<Record<CompiledFeature['function'], readonly AccumulatorKind[]>> = {
  count: ['count'],
  sum: ['count', 'sum'],
  mean: ['count', 'sum'],
  stddev: ['count', 'sum', 'sumOfSquares'],
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
  const finishers = features.map(({ function: kind, input, windowMicros }) => {
    const at = Object.fromEntries(NEEDS[kind].map((need) => [need, indexOf({ kind: need, input, windowMicros })]));
    return (values: readonly (bigint | null | undefined)[]): number => {
      const value = (need: AccumulatorKind): bigint | undefined => values[at[need] ?? -1] ?? undefined;
      return finishAggregate(kind, {
        count: value('count') ?? 0n,
        sum: value('sum') ?? 0n,
        sumOfSquares: value('sumOfSquares') ?? 0n,
        min: value('min'),
        max: value('max'),
      });
    };
  });
  return { columns, finish: (values) => finishers.map((finish) => finish(values)) };
}
