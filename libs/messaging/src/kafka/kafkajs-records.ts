// The record format of Kafka (https://kafka.apache.org/documentation/#record) for kafkajs, in one pass over one buffer.
// kafkajs makes a zero-filled buffer of 512 bytes for each header it writes and copies all headers for each header it
// reads; with a dozen headers a record that is most of the work of a producer. See docs/adr/0012-kafkajs-repairs.md.
import { HeaderBlock, PlainHeaders, RecordReader, RecordWriter, sizeOfVarint, type HeaderValue } from '../record-bytes';

export interface RecordToEncode {
  readonly offsetDelta?: number;
  /** Milliseconds after the first timestamp of the batch. */
  readonly timestampDelta?: number;
  readonly key?: Buffer | string | null;
  readonly value?: Buffer | string | null;
  readonly headers?: Readonly<Record<string, HeaderValue | readonly HeaderValue[]>> | HeaderBlock;
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

/** A record whose bytes are counted. */
export interface SizedRecord {
  readonly offsetDelta: number;
  readonly timestampDelta: number;
  readonly key: Buffer | null;
  readonly value: Buffer | null;
  readonly headers: HeaderBlock;
  /** Bytes behind its own length. */
  readonly size: number;
  /** With its length. */
  readonly total: number;
}

export function sizeOfRecord(record: RecordToEncode, index = 0): SizedRecord {
  const { offsetDelta = index, timestampDelta = 0 } = record;
  const key = bytesOf(record.key);
  const value = bytesOf(record.value);
  const headers = record.headers instanceof HeaderBlock ? record.headers : HeaderBlock.of(record.headers ?? {});
  const fixed = 1 + sizeOfVarint(timestampDelta) + sizeOfVarint(offsetDelta) + sizeOfVarint(headers.count);
  const size = fixed + sizeOfPart(key) + sizeOfPart(value) + headers.size;
  return { offsetDelta, timestampDelta, key, value, headers, size, total: sizeOfVarint(size) + size };
}

function sizeOfPart(part: Buffer | null): number {
  return part === null ? 1 : sizeOfVarint(part.length) + part.length;
}

export function writeRecord(writer: RecordWriter, record: SizedRecord): void {
  writer.varint(record.size);
  writer.byte(0); // attributes: none are defined
  writer.varint(record.timestampDelta);
  writer.varint(record.offsetDelta);
  writer.bytes(record.key);
  writer.bytes(record.value);
  writer.varint(record.headers.count);
  record.headers.writeTo(writer);
}

export function encodeRecord(record: RecordToEncode): EncodedRecord {
  const sized = sizeOfRecord(record);
  const buffer = Buffer.allocUnsafe(sized.total);
  writeRecord(new RecordWriter(buffer), sized);
  return { buf: buffer, buffer };
}

export function decodeRecord(decoder: RecordSource, batchContext: BatchContext = {}): Record<string, unknown> {
  const { firstOffset = '0', firstTimestamp = '0', timestampType, maxTimestamp, isControlBatch = false } = batchContext;
  const reader = new RecordReader(decoder.buffer, decoder.offset);
  const attributes = reader.byte();
  const timestampDelta = reader.varint();
  const appended = timestampType === LOG_APPEND_TIME ? maxTimestamp : undefined;
  const timestamp = appended ?? String(Number(firstTimestamp) + timestampDelta);
  const offset = String(Number(firstOffset) + reader.varint());
  const key = reader.bytes();
  const value = reader.bytes();
  const count = reader.varint();
  const start = reader.at;
  // kafkajs gives each record a buffer of its own, and reads nothing behind it.
  decoder.offset = decoder.buffer.length;
  return {
    magicByte: batchContext.magicByte,
    attributes,
    timestamp,
    offset,
    key,
    value,
    // Made when they are asked for, and not kept: a fetch holds a thousand records, each with a dozen headers.
    get headers() {
      const ofHeaders = new RecordReader(reader.source, start);
      return plainHeaders(ofHeaders, count) ?? allHeaders(ofHeaders, count, start);
    },
    isControlRecord: isControlBatch,
    batchContext,
  };
}

/** Undefined when one is repeated or has no value. */
function plainHeaders(reader: RecordReader, count: number): PlainHeaders | undefined {
  const headers: Record<string, Buffer> = new PlainHeaders();
  for (let left = count; left > 0; left -= 1) {
    const name = reader.name();
    const value = reader.bytes();
    if (value === null || headers[name] !== undefined) return undefined;
    headers[name] = value;
  }
  return headers;
}

/** As kafkajs gives them: a list where one is repeated. */
function allHeaders(reader: RecordReader, count: number, start: number): object {
  reader.at = start;
  const headers = Object.create(null) as Record<string, Buffer | null | (Buffer | null)[]>;
  for (let left = count; left > 0; left -= 1) {
    const name = reader.name();
    const one = reader.bytes();
    const before = headers[name];
    if (before === undefined) headers[name] = one;
    else headers[name] = Array.isArray(before) ? [...before, one] : [before, one];
  }
  return headers;
}
