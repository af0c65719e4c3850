const SEED = 0x9747b28c;
const M = 0x5bd1e995;

/** Hash of a key as Kafka's Java client and kafkajs compute it, as a signed 32-bit number. */
export function murmur2(key: Uint8Array): number {
  const { length } = key;
  const at = (index: number): number => key[index] ?? 0;
  let hash = SEED ^ length;
  const whole = length & ~3;
  for (let index = 0; index < whole; index += 4) {
    let word = at(index) | (at(index + 1) << 8) | (at(index + 2) << 16) | (at(index + 3) << 24);
    word = Math.imul(word, M);
    word ^= word >>> 24;
    hash = Math.imul(hash, M) ^ Math.imul(word, M);
  }
  if (whole < length) {
    // Bytes beyond the end count as nothing.
    hash ^= at(whole) | (at(whole + 1) << 8) | (at(whole + 2) << 16);
    hash = Math.imul(hash, M);
  }
  hash ^= hash >>> 13;
  hash = Math.imul(hash, M);
  return hash ^ (hash >>> 15);
}
