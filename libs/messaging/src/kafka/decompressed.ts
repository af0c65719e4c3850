// What a decompressor writes: grows as needed, up to a limit, and can repeat what it holds.
const FIRST_BYTES = 64 * 1024;

export class Decompressed {
  private buffer: Buffer;
  private length = 0;

  constructor(private readonly limit: number) {
    this.buffer = Buffer.allocUnsafe(Math.min(limit, FIRST_BYTES));
  }

  append(bytes: Uint8Array): void {
    this.reserve(bytes.length);
    this.buffer.set(bytes, this.length);
    this.length += bytes.length;
  }

  /** `count` bytes that begin `distance` before the end; those just written are among them when count exceeds distance. */
  repeat(distance: number, count: number): void {
    if (distance === 0 || distance > this.length)
      throw new RangeError(`a match ${distance} bytes before the beginning`);
    this.reserve(count);
    const { buffer, length } = this;
    if (distance >= count) buffer.copyWithin(length, length - distance, length - distance + count);
    else for (let index = length; index < length + count; index += 1) buffer[index] = buffer[index - distance] ?? 0;
    this.length += count;
  }

  bytes(): Buffer {
    return this.buffer.subarray(0, this.length);
  }

  private reserve(count: number): void {
    const needed = this.length + count;
    if (needed > this.limit) throw new RangeError(`compressed records become larger than ${this.limit} bytes`);
    if (needed <= this.buffer.length) return;
    const grown = Buffer.allocUnsafe(Math.min(this.limit, Math.max(needed, this.buffer.length * 2)));
    this.buffer.copy(grown, 0, 0, this.length);
    this.buffer = grown;
  }
}
