// The record format of Kafka (https://kafka.apache.org/documentation/#record) for kafkajs, in one pass over one buffer.
// kafkajs makes a zero-filled buffer of 512 bytes for each header it writes and copies all headers for each header it
// reads; with a dozen headers a record that is most of the work of a producer. See docs/adr/0012-kafkajs-repairs.md.
type HeaderValue = Buffer | string | null | undefined;

export interface RecordToEncode {
  readonly offsetDelta?: number;
  /** Milliseconds after the first timestamp of the batch. */
  readonly timestampDelta?: number;
  readonly key?: Buffer | string | null;
  readonly value?: Buffer | string | null;
  readonly headers?: Readonly<Record<string, HeaderValue | readonly HeaderValue[]>>;
}

/** What kafkajs needs of its Encoder to put a record into a batch. */
export interface EncodedRecord {
  readonly buf: Buffer;
  readonly buffer: Buffer;
}

/** kafkajs' Decoder: a buffer and where it is read. */
export interface RecordSource {
  readonly buffer: Buffer;
  offset: number;
}

export interface BatchContext {
  readonly firstOffset?: string;
  readonly firstTimestamp?: string;
  readonly magicByte?: number;
  readonly isControlBatch?: boolean;
  readonly timestampType?: number;
  readonly maxTimestamp?: string;
}

const LOG_APPEND_TIME = 1;

function bytesOf(value: Buffer | string | null | undefined): Buffer | null {
  if (value === null || value === undefined) return null;
  return typeof value === 'string' ? Buffer.from(value, 'utf8') : value;
}

/** Bytes of a zigzag varint; for numbers up to 2^52. */
function sizeOfVarint(value: number): number {
  let rest = value >= 0 ? value * 2 : -value * 2 - 1;
  let size = 1;
  while (rest >= 128) {
    rest = Math.floor(rest / 128);
    size += 1;
  }
  return size;
}

class Writer {
  private at = 0;

  constructor(private readonly target: Buffer) {}

  byte(value: number): void {
    this.target[this.at++] = value;
  }

  varint(value: number): void {
    let rest = value >= 0 ? value * 2 : -value * 2 - 1;
    while (rest >= 128) {
      this.target[this.at++] = (rest % 128) | 128;
      rest = Math.floor(rest / 128);
    }
    this.target[this.at++] = rest;
  }

  bytes(value: Buffer | null): void {
    if (value === null) {
      this.varint(-1);
      return;
    }
    this.varint(value.length);
    this.at += value.copy(this.target, this.at);
  }

  text(value: string, size: number): void {
    this.varint(size);
    this.at += this.target.write(value, this.at, size, 'utf8');
  }
}

interface Header {
  readonly key: string;
  readonly keySize: number;
  readonly value: Buffer | string | null;
  readonly valueSize: number;
}

function headersOf(headers: NonNullable<RecordToEncode['headers']>): Header[] {
  const list: Header[] = [];
  for (const [key, given] of Object.entries(headers)) {
    const keySize = Buffer.byteLength(key);
    for (const each of Array.isArray(given) ? (given as readonly HeaderValue[]) : [given as HeaderValue]) {
      const value = each ?? null;
      list.push({ key, keySize, value, valueSize: value === null ? -1 : Buffer.byteLength(value) });
    }
  }
  return list;
}

export function encodeRecord(record: RecordToEncode): EncodedRecord {
  const { offsetDelta = 0, timestampDelta = 0, headers = {} } = record;
  const key = bytesOf(record.key);
  const value = bytesOf(record.value);
  const list = headersOf(headers);
  let size = 1 + sizeOfVarint(timestampDelta) + sizeOfVarint(offsetDelta) + sizeOfVarint(list.length);
  for (const part of [key, value]) size += part === null ? 1 : sizeOfVarint(part.length) + part.length;
  for (const header of list) {
    size += sizeOfVarint(header.keySize) + header.keySize;
    size += sizeOfVarint(header.valueSize) + Math.max(0, header.valueSize);
  }
  const buffer = Buffer.allocUnsafe(sizeOfVarint(size) + size);
  const writer = new Writer(buffer);
  writer.varint(size);
  writer.byte(0); // attributes: none are defined
  writer.varint(timestampDelta);
  writer.varint(offsetDelta);
  writer.bytes(key);
  writer.bytes(value);
  writer.varint(list.length);
  for (const header of list) {
    writer.text(header.key, header.keySize);
    if (typeof header.value === 'string') writer.text(header.value, header.valueSize);
    else writer.bytes(header.value);
  }
  return { buf: buffer, buffer };
}

class Reader {
  constructor(
    private readonly source: Buffer,
    public at: number,
  ) {}

  byte(): number {
    return this.source.readInt8(this.at++);
  }

  varint(): number {
    let scale = 1;
    let result = 0;
    for (;;) {
      const byte = this.source[this.at++];
      if (byte === undefined) throw new RangeError('the record ends in the middle of a number');
      result += (byte & 127) * scale;
      if (byte < 128) break;
      scale *= 128;
    }
    return result % 2 === 0 ? result / 2 : -(result + 1) / 2;
  }

  bytes(): Buffer | null {
    const length = this.varint();
    if (length < 0) return null;
    const start = this.at;
    this.at += length;
    return this.source.subarray(start, this.at);
  }

  text(): string {
    const length = this.varint();
    const start = this.at;
    this.at += length;
    return this.source.toString('utf8', start, this.at);
  }
}

export function decodeRecord(decoder: RecordSource, batchContext: BatchContext = {}): Record<string, unknown> {
  const { firstOffset = '0', firstTimestamp = '0', timestampType, maxTimestamp, isControlBatch = false } = batchContext;
  const reader = new Reader(decoder.buffer, decoder.offset);
  const attributes = reader.byte();
  const timestampDelta = reader.varint();
  const appended = timestampType === LOG_APPEND_TIME ? maxTimestamp : undefined;
  const timestamp = appended ?? String(Number(firstTimestamp) + timestampDelta);
  const offset = String(Number(firstOffset) + reader.varint());
  const key = reader.bytes();
  const value = reader.bytes();
  // A stranger names the headers: none of them may meet a prototype.
  const headers = Object.create(null) as Record<string, Buffer | null | (Buffer | null)[]>;
  for (let left = reader.varint(); left > 0; left -= 1) {
    const name = reader.text();
    const one = reader.bytes();
    const before = headers[name];
    if (before === undefined) headers[name] = one;
    else headers[name] = Array.isArray(before) ? [...before, one] : [before, one];
  }
  decoder.offset = reader.at;
  return {
    magicByte: batchContext.magicByte,
    attributes,
    timestamp,
    offset,
    key,
    value,
    headers,
    isControlRecord: isControlBatch,
    batchContext,
  };
}
