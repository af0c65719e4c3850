// Ordering of many numbers: Float64Array.prototype.sort compares them, which takes nearly twice as long.

/** Digits of 11 bits; three of them cover the 32 bits of either half of a double. */
const DIGIT = 11;
const BUCKETS = 1 << DIGIT;
/** Below this many values the passes cost more than they save. */
const FEW = 5_000;

/**
 * Sorts in place, rising, by the bits of the values (least significant digit first), and returns the array. It holds no NaN.
 * Needs as much memory again: `spare`, at least as long, when many are sorted one after the other.
 */
export function sortNumbers(values: Float64Array, spare?: Float64Array): Float64Array {
  if (values.length < FEW) return values.sort();
  let from = values;
  let to = spare?.subarray(0, values.length) ?? new Float64Array(values.length);
  for (const half of [0, 1] as const) {
    for (let shift = 0; shift < 32; shift += DIGIT) {
      if (!scatter(from, to, half, shift)) continue;
      [from, to] = [to, from];
    }
  }
  if (from !== values) values.set(from);
  return values;
}

/** One pass: orders by one digit, keeping the order of equal ones. False, and nothing moved, when all values share it. */
function scatter(from: Float64Array, to: Float64Array, half: 0 | 1, shift: number): boolean {
  // Little-endian: the low half of a double comes first.
  const words = new Uint32Array(from.buffer, from.byteOffset, from.length * 2);
  // In the order of doubles the sign is turned, and a negative value has all other bits turned too.
  const turned = half === 1 ? 1 << 31 : 0;
  const places = new Uint32Array(BUCKETS);
  const mask = BUCKETS - 1;
  const count = from.length;
  const digitOf = (i: number): number => {
    const sign = (words[2 * i + 1] as number) >> 31;
    return (((words[2 * i + half] as number) ^ (sign | turned)) >>> shift) & mask;
  };
  for (let i = 0; i < count; i += 1) {
    const digit = digitOf(i);
    places[digit] = (places[digit] as number) + 1;
  }
  let sum = 0;
  for (let bucket = 0; bucket < BUCKETS; bucket += 1) {
    const here = places[bucket] as number;
    if (here === count) return false;
    places[bucket] = sum;
    sum += here;
  }
  for (let i = 0; i < count; i += 1) {
    const digit = digitOf(i);
    const place = places[digit] as number;
    to[place] = from[i] as number;
    places[digit] = place + 1;
  }
  return true;
}
