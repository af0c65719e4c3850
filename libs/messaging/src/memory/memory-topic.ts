import { randomUUID } from 'node:crypto';
import { ownMaxBatchBytes, USUAL_MAX_BATCH_BYTES } from '../log/limits';
import type { LogMessage, PartitionOffsets } from '../log/port';
import { HeaderBlock } from '../record-bytes';
import type { RawRecord } from '../types';
import { murmur2 } from '../log/murmur2';

/** What Kafka's format adds to a batch, and about what it adds to a record and to a header. */
const BATCH_OVERHEAD = 61;
const RECORD_OVERHEAD = 12;
const HEADER_OVERHEAD = 3;

export class MessageTooLarge extends Error {
  readonly type = 'MESSAGE_TOO_LARGE';
}

export function partitionOf(key: Uint8Array, partitions: number): number {
  return (murmur2(key) & 0x7fffffff) % partitions;
}

export class MemoryTopic {
  /** Another one when it is made again. */
  readonly id = randomUUID();
  private readonly partitions: RawRecord[][];
  private keyless = 0;

  constructor(
    readonly name: string,
    partitions: number,
  ) {
    this.partitions = Array.from({ length: partitions }, () => []);
  }

  get partitionCount(): number {
    return this.partitions.length;
  }

  offsets(): PartitionOffsets[] {
    return this.partitions.map((records, partition) => ({ partition, low: 0, high: records.length }));
  }

  /** The end of a partition that has nothing so late. */
  offsetsAt(timestampMs: number): Map<number, number> {
    return new Map(
      this.partitions.map((records, partition) => {
        const found = records.findIndex((record) => record.timestampMs >= timestampMs);
        return [partition, found === -1 ? records.length : found];
      }),
    );
  }

  /** What one request brings: all of it or, with MessageTooLarge, nothing. */
  append(messages: readonly LogMessage[], timestampMs: number): void {
    const batches = new Map<number, LogMessage[]>();
    for (const message of messages) {
      const partition = this.choose(message);
      const batch = batches.get(partition) ?? [];
      batch.push(message);
      batches.set(partition, batch);
    }
    for (const [partition, batch] of batches) this.checkSize(partition, batch);
    for (const [partition, batch] of batches) {
      const records = this.partition(partition);
      for (const message of batch) {
        records.push({
          topic: this.name,
          partition,
          offset: records.length,
          timestampMs,
          key: copy(message.key),
          value: copy(message.value),
          headers: copyHeaders(message.headers),
        });
      }
    }
  }

  /** Records from this offset on, at least one when there is one; nobody shares their bytes. */
  read(partition: number, from: number, maxBytes: number): RawRecord[] {
    const records = this.partition(partition);
    const found: RawRecord[] = [];
    for (let offset = from, bytes = 0; offset < records.length && bytes < maxBytes; offset += 1) {
      const record = records[offset];
      if (!record) break;
      bytes += sizeOf(record);
      found.push({
        ...record,
        key: copy(record.key),
        value: copy(record.value),
        headers: copyHeaders(record.headers),
      });
    }
    return found;
  }

  private choose({ key, partition }: LogMessage): number {
    if (partition !== undefined) return partition;
    if (key !== null) return partitionOf(key, this.partitionCount);
    this.keyless += 1;
    return this.keyless % this.partitionCount;
  }

  private checkSize(partition: number, batch: readonly LogMessage[]): void {
    const bytes = batch.reduce((sum, message) => sum + sizeOf(message), BATCH_OVERHEAD);
    const most = ownMaxBatchBytes(this.name) ?? USUAL_MAX_BATCH_BYTES;
    if (bytes <= most) return;
    throw new MessageTooLarge(
      `topic ${this.name}, partition ${partition}: a batch of ${bytes} bytes is larger than the ${most} it takes`,
    );
  }

  private partition(partition: number): RawRecord[] {
    const records = this.partitions[partition];
    if (!records) throw new RangeError(`topic ${this.name} has no partition ${partition}`);
    return records;
  }
}

function sizeOf({ key, value, headers }: Pick<LogMessage, 'key' | 'value' | 'headers'>): number {
  let bytes = RECORD_OVERHEAD + (key?.byteLength ?? 0) + (value?.byteLength ?? 0);
  for (const [name, header] of Object.entries(plain(headers))) {
    bytes += HEADER_OVERHEAD + Buffer.byteLength(name) + Buffer.byteLength(header);
  }
  return bytes;
}

function copy(bytes: Buffer | null): Buffer | null {
  return bytes && Buffer.from(bytes);
}

function plain(headers: LogMessage['headers']): Readonly<Record<string, Buffer | string>> {
  return headers instanceof HeaderBlock ? headers.toRecord() : headers;
}

function copyHeaders(headers: LogMessage['headers']): Record<string, Buffer> {
  // A stranger names the headers: none of them may meet a prototype.
  const copied = Object.create(null) as Record<string, Buffer>;
  for (const [name, header] of Object.entries(plain(headers))) {
    copied[name] = typeof header === 'string' ? Buffer.from(header, 'utf8') : Buffer.from(header);
  }
  return copied;
}
