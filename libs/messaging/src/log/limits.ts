/** Where a topic's own limit is not set, a broker by its default takes this much. */
export const USUAL_MAX_BATCH_BYTES = 1_048_588;

/** Largest batch of records, in bytes, that a topic shall take, where it is not the broker's usual one. */
export function ownMaxBatchBytes(topic: string): number | undefined {
  // A dead letter is its original plus the headers that say why; so is its redrive.
  return /\.(dlq|redrive)$/.test(topic) ? 2 * 1024 * 1024 : undefined;
}
