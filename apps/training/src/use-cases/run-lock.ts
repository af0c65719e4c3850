import type { Transaction } from '@headrace/messaging';

/** Decisions about runs are few and look at other runs of the plan: one at a time. Held until the transaction ends. */
export async function takeRunLock(transaction: Transaction): Promise<void> {
  await transaction.query(`SELECT pg_advisory_xact_lock(hashtext(current_schema() || '.runs'))`);
}
