import type { Transaction } from '@headrace/messaging';

/** The part of a Transaction that reads and writes tables. */
export type Queries = Pick<Transaction, 'query'>;

/** Postgres gives bigint as text; all numbers kept here are within ±(2^53 − 1). */
export function numberOrUndefined(value: string | null | undefined): number | undefined {
  return value === null || value === undefined ? undefined : Number(value);
}
