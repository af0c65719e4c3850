import type { Transaction } from '@headrace/messaging';

/** The part of a Transaction (or DataSource) that reads and writes tables. */
export type Queries = Pick<Transaction, 'query'>;

/** Postgres has −infinity for floating point only; times are bigint. */
export function microsOrNull(micros: number | undefined): number | null {
  return micros === undefined || !Number.isFinite(micros) ? null : micros;
}
