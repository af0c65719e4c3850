// The wire format of protobuf (https://protobuf.dev/programming-guides/encoding/), for messages of which a part is read.

export const WIRE = { varint: 0, fixed64: 1, bytes: 2, fixed32: 5 } as const;

const TWO_28 = 2 ** 28;

/** Every read throws RangeError where the message ends too early, or is none. */
export class MessageReader {
  constructor(
    readonly source: Buffer,
    public at = 0,
    readonly end = source.length,
  ) {}

  get hasMore(): boolean {
    return this.at < this.end;
  }

  /** Field number × 8 + wire type, a length, a bool or an enum: below 2^32. */
  uint32(): number {
    const first = this.byte();
    if (first < 128) return first;
    const value = this.varint(first);
    if (value >= 2 ** 32) throw new RangeError('a number is larger than its field');
    return value;
  }

  /** An int64 between −2^53 and 2^53. */
  int64(): number {
    const start = this.at;
    const value = this.varint(this.byte());
    if (Number.isSafeInteger(value)) return value;
    return this.largeInt64(start);
  }

  double(): number {
    const start = this.skip(8);
    return this.source.readDoubleLE(start);
  }

  text(): string {
    const length = this.uint32();
    const start = this.skip(length);
    return this.source.toString('utf8', start, start + length);
  }

  /** A view, not a copy. */
  bytes(): Buffer {
    const length = this.uint32();
    const start = this.skip(length);
    return this.source.subarray(start, start + length);
  }

  /** The message in the next field. */
  message(): MessageReader {
    const length = this.uint32();
    const start = this.skip(length);
    return new MessageReader(this.source, start, start + length);
  }

  /** Passes so many bytes; where they began. */
  skip(bytes: number): number {
    const start = this.at;
    this.at += bytes;
    if (this.at > this.end) throw new RangeError('the message ends in the middle of a field');
    return start;
  }

  skipField(tag: number): void {
    switch (tag & 7) {
      case WIRE.varint:
        while (this.byte() >= 128);
        return;
      case WIRE.fixed64:
        this.skip(8);
        return;
      case WIRE.bytes:
        this.skip(this.uint32());
        return;
      case WIRE.fixed32:
        this.skip(4);
        return;
      default:
        throw new RangeError(`a field of wire type ${tag & 7}, which has no length`);
    }
  }

  private byte(): number {
    if (this.at >= this.end) throw new RangeError('the message ends in the middle of a number');
    return this.source[this.at++] ?? 0;
  }

  /** Exact below 2^53. */
  private varint(first: number): number {
    let low = first & 127;
    let byte = first;
    for (let shift = 7; byte >= 128 && shift < 28; shift += 7) {
      byte = this.byte();
      low += (byte & 127) << shift;
    }
    let scale = TWO_28;
    let high = 0;
    for (let read = 4; byte >= 128; read += 1) {
      if (read === 10) throw new RangeError('a number has more than ten bytes');
      byte = this.byte();
      high += (byte & 127) * scale;
      scale *= 128;
    }
    return low + high;
  }

  /** Negative ones take ten bytes, in two's complement. */
  private largeInt64(start: number): number {
    let bits = 0n;
    for (let at = start; at < this.at; at += 1)
      bits |= BigInt((this.source[at] ?? 0) & 127) << BigInt(7 * (at - start));
    const value = Number(BigInt.asIntN(64, bits));
    if (!Number.isSafeInteger(value)) throw new RangeError(`${value} is no number up to 2^53`);
    return value;
  }
}

/** A text that is nearly always the same as in the message before: then none is made. */
export class SameText {
  private text = '';
  private bytes: Buffer = Buffer.alloc(0);

  read(reader: MessageReader): string {
    const length = reader.uint32();
    const start = reader.skip(length);
    const { source } = reader;
    if (this.bytes.length === length && this.bytes.compare(source, start, start + length) === 0) return this.text;
    this.bytes = Buffer.from(source.subarray(start, start + length));
    this.text = this.bytes.toString('utf8');
    return this.text;
  }
}
