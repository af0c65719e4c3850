// What a producer of kafkajs sends, written once into one buffer of the right size. kafkajs puts a request together from
// buffers in buffers, each filled with zeros, grown by doubling and copied into the next one: about eight copies of each record.
import { sizeOfRecord, writeRecord, type RecordToEncode, type SizedRecord } from './kafkajs-records';
import { RecordWriter } from '../record-bytes';
import { crc32c } from './crc32c';

interface PartitionToProduce {
  readonly partition: number;
  /** Of an idempotent producer: the number of the first of these records. */
  readonly firstSequence?: number;
  readonly messages: readonly (RecordToEncode & { readonly timestamp?: string | null })[];
}

/** What kafkajs asks for; records of one producer, with the time of now. */
export interface ProduceCall {
  readonly acks: number;
  /** Milliseconds that the broker may wait for its replicas. */
  readonly timeout: number;
  readonly transactionalId?: string | null;
  /** A whole number; kafkajs has it as text or as its own Long. */
  readonly producerId?: number | string | { toString(): string };
  readonly producerEpoch?: number;
  /** Number of a codec; 0: none. */
  readonly compression?: number;
  readonly topicData: readonly { readonly topic: string; readonly partitions: readonly PartitionToProduce[] }[];
}

/** What kafkajs needs of its Encoder to send a request. */
export interface EncodedRequest {
  readonly buf: Buffer;
  readonly buffer: Buffer;
}

export interface ProduceRequest {
  readonly apiKey: number;
  readonly apiName: string;
  encode(): Promise<EncodedRequest>;
}

/** Before the records of a batch: from its first offset to the number of its records. */
const BATCH_HEADER_BYTES = 61;
/** What the length of a batch does not count: first offset and the length itself. */
const BEFORE_LENGTH = 12;
/** The checksum is of what follows it. */
const CRC_AT = 17;
const MAGIC = 2;

/** Whether it is one of those that are written here: no transactions, no compression, no times of the caller's. */
export function isPlain({ transactionalId, compression = 0, topicData }: ProduceCall): boolean {
  if (compression !== 0 || (transactionalId !== undefined && transactionalId !== null)) return false;
  return topicData.every(({ partitions }) =>
    partitions.every(({ messages }) =>
      messages.every(({ timestamp }) => timestamp === undefined || timestamp === null),
    ),
  );
}

/** Body of a Produce request, versions 3 to 7 (https://kafka.apache.org/protocol#The_Messages_Produce). */
export function encodeProduce(call: ProduceCall): EncodedRequest {
  const { acks, timeout, topicData } = call;
  const now = BigInt(Date.now());
  const topics = topicData.map(({ topic, partitions }) => ({
    topic,
    partitions: partitions.map((each) => ({ ...each, records: each.messages.map(sizeOfRecord) })),
  }));
  let size = 12;
  for (const { topic, partitions } of topics) {
    size += 6 + Buffer.byteLength(topic);
    for (const { records } of partitions) size += 8 + sizeOfBatch(records);
  }
  const buffer = Buffer.allocUnsafe(size);
  let at = buffer.writeInt16BE(-1, 0); // no transaction
  at = buffer.writeInt16BE(acks, at);
  at = buffer.writeInt32BE(timeout, at);
  at = buffer.writeInt32BE(topics.length, at);
  for (const { topic, partitions } of topics) {
    at = buffer.writeInt16BE(Buffer.byteLength(topic), at);
    at += buffer.write(topic, at);
    at = buffer.writeInt32BE(partitions.length, at);
    for (const { partition, records, firstSequence = 0 } of partitions) {
      at = buffer.writeInt32BE(partition, at);
      at = buffer.writeInt32BE(sizeOfBatch(records), at);
      at = writeBatch(buffer, at, records, call, { now, firstSequence });
    }
  }
  return { buf: buffer, buffer };
}

function sizeOfBatch(records: readonly SizedRecord[]): number {
  return records.reduce((size, record) => size + record.total, BATCH_HEADER_BYTES);
}

/** https://kafka.apache.org/documentation/#recordbatch */
function writeBatch(
  buffer: Buffer,
  start: number,
  records: readonly SizedRecord[],
  { producerId = -1, producerEpoch = 0 }: ProduceCall,
  { now, firstSequence }: { readonly now: bigint; readonly firstSequence: number },
): number {
  const size = sizeOfBatch(records);
  let at = buffer.writeBigInt64BE(0n, start); // first offset: the broker gives it
  at = buffer.writeInt32BE(size - BEFORE_LENGTH, at);
  at = buffer.writeInt32BE(0, at); // leader epoch: the broker's
  at = buffer.writeInt8(MAGIC, at) + 4;
  at = buffer.writeInt16BE(0, at); // attributes: no compression, time of creation, no transaction
  at = buffer.writeInt32BE(records.length - 1, at);
  at = buffer.writeBigInt64BE(now, at);
  at = buffer.writeBigInt64BE(now, at);
  at = buffer.writeBigInt64BE(BigInt(String(producerId)), at);
  at = buffer.writeInt16BE(producerEpoch, at);
  at = buffer.writeInt32BE(firstSequence, at);
  at = buffer.writeInt32BE(records.length, at);
  const writer = new RecordWriter(buffer, at);
  for (const record of records) writeRecord(writer, record);
  buffer.writeUInt32BE(crc32c(buffer, start + CRC_AT + 4, start + size), start + CRC_AT);
  return start + size;
}

/** A request with its head, as it goes to the socket. */
export async function encodeRequest(call: {
  readonly correlationId: number;
  readonly clientId: string;
  readonly request: {
    readonly apiKey: number;
    readonly apiVersion: number;
    encode(): Promise<{ readonly buffer: Buffer }>;
  };
}): Promise<EncodedRequest> {
  const { correlationId, clientId, request } = call;
  const { buffer: body } = await request.encode();
  const name = Buffer.byteLength(clientId);
  const buffer = Buffer.allocUnsafe(14 + name + body.length);
  let at = buffer.writeInt32BE(buffer.length - 4, 0);
  at = buffer.writeInt16BE(request.apiKey, at);
  at = buffer.writeInt16BE(request.apiVersion, at);
  at = buffer.writeInt32BE(correlationId, at);
  at = buffer.writeInt16BE(name, at);
  at += buffer.write(clientId, at);
  body.copy(buffer, at);
  return { buf: buffer, buffer };
}
