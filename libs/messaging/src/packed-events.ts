// Many events of one topic in one value: how they wait in the outbox, their headers as they will stand on the log.
import { HeaderBlock, RecordReader, RecordWriter, sizeOfVarint } from './record-bytes';

export interface PackedEvent {
  readonly key: Buffer | null;
  readonly value: Buffer | null;
  readonly headers: HeaderBlock;
  /** It gets shard and sequence of this outbox as its producer's; a dead letter keeps those of its original. */
  readonly numbered: boolean;
}

const VERSION = 1;

export function sizeOfPacked({ key, value, headers }: PackedEvent): number {
  const block = headers.size;
  return 1 + sizeOfBytes(key) + sizeOfBytes(value) + sizeOfVarint(headers.count) + sizeOfVarint(block) + block;
}

function sizeOfBytes(bytes: Buffer | null): number {
  return bytes === null ? 1 : sizeOfVarint(bytes.length) + bytes.length;
}

/** Version, then for each event: whether it is numbered, key, value, number of headers, headers. */
export function packEvents(events: readonly PackedEvent[]): Buffer {
  const packed = Buffer.allocUnsafe(events.reduce((size, event) => size + sizeOfPacked(event), 1));
  const writer = new RecordWriter(packed);
  writer.byte(VERSION);
  for (const { key, value, headers, numbered } of events) {
    writer.byte(numbered ? 1 : 0);
    writer.bytes(key);
    writer.bytes(value);
    writer.varint(headers.count);
    writer.varint(headers.size);
    headers.writeTo(writer);
  }
  return packed;
}

/** Keys, values and headers are views. Throws RangeError when it is not what packEvents makes. */
export function unpackEvents(packed: Buffer): PackedEvent[] {
  const reader = new RecordReader(packed, 0);
  const version = reader.byte();
  if (version !== VERSION) throw new RangeError(`packed events of version ${version}, known is ${VERSION}`);
  const events: PackedEvent[] = [];
  while (reader.at < packed.length) {
    const numbered = reader.byte() === 1;
    const key = reader.bytes();
    const value = reader.bytes();
    const count = reader.varint();
    const headers = new HeaderBlock(count, reader.bytes() ?? Buffer.alloc(0));
    events.push({ key, value, headers, numbered });
  }
  return events;
}
