// What a feature is, by its definition and nothing else: every record is looked at for every moment.
import { finishAggregate } from '../src/domain/aggregate';
import type { CompiledFeature } from '../src/domain/feature-view';

export interface OracleRecord {
  readonly entity: string;
  readonly eventTime: number;
  readonly knownTime: number;
  readonly inputs: readonly (bigint | null)[];
}

export function featureAt(
  records: readonly OracleRecord[],
  feature: CompiledFeature,
  entity: string,
  at: number,
): number {
  const inWindow = records.filter(
    (record) =>
      record.entity === entity &&
      record.eventTime > at - feature.windowMicros &&
      record.eventTime <= at &&
      record.knownTime <= at,
  );
  const { input } = feature;
  const values =
    input === undefined
      ? inWindow.map(() => 0n)
      : inWindow.map(({ inputs }) => inputs[input] ?? null).filter((value) => value !== null);
  const count = BigInt(values.length);
  const sum = values.reduce((total, value) => total + value, 0n);
  const sumOfSquares = values.reduce((total, value) => total + value * value, 0n);
  const sorted = [...values].sort((a, b) => (a < b ? -1 : a > b ? 1 : 0));
  return finishAggregate(feature.function, {
    count: values.length,
    sum: Number(sum),
    radicand: Number(count * sumOfSquares - sum * sum),
    min: Number(sorted[0] ?? 0),
    max: Number(sorted.at(-1) ?? 0),
  });
}
