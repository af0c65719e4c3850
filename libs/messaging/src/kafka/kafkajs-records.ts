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

export function encodeRecord(record: RecordToEncode): EncodedRecord {
  const { offsetDelta = 0, timestampDelta = 0, headers = {} } = record;
  const key = bytesOf(record.key);
  const value = bytesOf(record.value);
  const block = headers instanceof HeaderBlock ? headers : HeaderBlock.of(headers);
  let size = 1 + sizeOfVarint(timestampDelta) + sizeOfVarint(offsetDelta);
  size += sizeOfVarint(block.count) + block.bytes.length;
  for (const part of [key, value]) size += part === null ? 1 : sizeOfVarint(part.length) + part.length;
  const buffer = Buffer.allocUnsafe(sizeOfVarint(size) + size);
  const writer = new RecordWriter(buffer);
  writer.varint(size);
  writer.byte(0); // attributes: none are defined
  writer.varint(timestampDelta);
  writer.varint(offsetDelta);
  writer.bytes(key);
  writer.bytes(value);
  writer.varint(block.count);
  writer.raw(block.bytes);
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
  const headers = plainHeaders(reader, count) ?? allHeaders(reader, count, start);
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
