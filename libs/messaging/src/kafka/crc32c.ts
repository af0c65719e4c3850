// CRC-32C (Castagnoli), four bytes a step: "slicing by four", M. E. Kounavis and F. L. Berry, Intel, 2005.
const POLYNOMIAL = 0x82f63b78; // reflected
const TABLES = tables();

function tables(): readonly [Int32Array, Int32Array, Int32Array, Int32Array] {
  const made = [new Int32Array(256), new Int32Array(256), new Int32Array(256), new Int32Array(256)] as const;
  for (let byte = 0; byte < 256; byte += 1) {
    let crc = byte;
    for (let bit = 0; bit < 8; bit += 1) crc = (crc >>> 1) ^ (crc & 1 ? POLYNOMIAL : 0);
    made[0][byte] = crc;
  }
  for (let byte = 0; byte < 256; byte += 1) {
    let crc = made[0][byte] ?? 0;
    for (const table of made.slice(1)) {
      crc = (crc >>> 8) ^ (made[0][crc & 255] ?? 0);
      table[byte] = crc;
    }
  }
  return made;
}

/** Checksum of bytes[from … to), as an unsigned 32-bit number. */
export function crc32c(bytes: Uint8Array, from = 0, to = bytes.length): number {
  const [first, second, third, fourth] = TABLES;
  // Within the bounds: a check for each byte of each record would not be free.
  let crc = -1;
  let at = from;

  for (const end = to - 3; at < end; at += 4) {
    crc ^= bytes[at]! | (bytes[at + 1]! << 8) | (bytes[at + 2]! << 16) | (bytes[at + 3]! << 24);
    crc = fourth[crc & 255]! ^ third[(crc >>> 8) & 255]! ^ second[(crc >>> 16) & 255]! ^ first[crc >>> 24]!;
  }
  for (; at < to; at += 1) crc = first[(crc ^ bytes[at]!) & 255]! ^ (crc >>> 8);

  return ~crc >>> 0;
}
