/** As a broker's default. */
const USUAL_BYTES = 1_048_588;
const DEAD_LETTER_BYTES = 2 * 1024 * 1024;

/** Largest batch of records, in bytes, that a topic takes. A dead letter is its original plus the headers that say why. */
export function maxBatchBytesOf(topic: string): number {
  return topic.endsWith('.dlq') ? DEAD_LETTER_BYTES : USUAL_BYTES;
}
