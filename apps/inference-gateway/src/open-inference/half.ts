// IEEE 754 half precision: 1 sign, 5 exponent and 10 fraction bits. Node below 24 has no Float16Array.
const single = new Float32Array(1);
const bits = new Uint32Array(single.buffer);

/** The nearest half (ties to even); beyond 65504 infinity. */
export function halfBits(value: number): number {
  single[0] = value;
  const word = bits[0] ?? 0;
  const sign = (word >>> 16) & 0x8000;
  const magnitude = word & 0x7fff_ffff;
  if (magnitude > 0x7f80_0000) return sign | 0x7e00; // NaN
  if (magnitude >= 0x4780_0000) return sign | 0x7c00; // 65536 and more
  if (magnitude < 0x3880_0000) {
    // Below 2^-14: multiples of 2^-24. Adding 0.5 leaves exactly these in the fraction of a single, rounded to even.
    single[0] = Math.abs(value) + 0.5;
    return sign | ((bits[0] ?? 0) - 0x3f00_0000);
  }
  const odd = (magnitude >>> 13) & 1;
  // Exponents are biased by 127 and 15; half of the last bit that stays, less one unless that bit is odd.
  return sign | ((magnitude - 0x3800_0000 + 0xfff + odd) >>> 13);
}

export function halfValue(half: number): number {
  const sign = half & 0x8000 ? -1 : 1;
  const exponent = (half >>> 10) & 0x1f;
  const fraction = half & 0x3ff;
  if (exponent === 0) return sign * fraction * 2 ** -24;
  if (exponent === 0x1f) return fraction === 0 ? sign * Infinity : NaN;
  return sign * (1 + fraction / 1_024) * 2 ** (exponent - 15);
}
