import type { Transaction } from '@headrace/messaging';

/**
 * Decisions about versions and endpoints are few and touch both, so they are made one at a time: no order of locks to
 * get wrong, and the audit chain grows in the order of the decisions. Held until the transaction ends.
 */
export async function takeDecisionLock(transaction: Transaction): Promise<void> {
  await transaction.query(`SELECT pg_advisory_xact_lock(hashtext(current_schema() || '.decisions'))`);
}
