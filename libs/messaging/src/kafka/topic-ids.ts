// Ids of topics, which kafkajs does not know: Metadata in version 10, the first that tells them (KIP-516), sent over a
// connection of kafkajs with its TLS and login. Layout: https://kafka.apache.org/protocol#The_Messages_Metadata and
// https://cwiki.apache.org/confluence/display/KAFKA/KIP-482 (compact types, tagged fields).
import { createRequire } from 'node:module';
import type { Kafka } from 'kafkajs';

const API_KEY = 3;
const API_VERSION = 10;
const UNKNOWN_TOPIC_OR_PARTITION = 3;
const LEADER_NOT_AVAILABLE = 5;
const NONE = '00000000-0000-0000-0000-000000000000';
const UUID_BYTES = 16;

/** Of kafkajs 2.2.4 (its version is checked by kafkajs-repairs.ts), no part of its public types. */
interface Encoder {
  writeBufferInternal(buffer: Buffer): void;
}

interface Broker {
  readonly versions: Readonly<Record<number, { readonly maxVersion: number } | undefined>> | null;
  readonly connectionPool: {
    send<R>(exchange: {
      readonly request: { apiKey: number; apiVersion: number; apiName: string; encode(): Promise<Encoder> };
      readonly response: { decode(payload: Buffer): Promise<R>; parse(decoded: R): Promise<R> };
    }): Promise<R>;
  };
}

interface Cluster {
  connect(): Promise<void>;
  disconnect(): Promise<void>;
  refreshMetadataIfNecessary(): Promise<void>;
  readonly brokerPool: { findConnectedBroker(): Promise<Broker> };
}

const load = createRequire(__filename);

export class TopicIds {
  private connecting: Promise<Cluster> | undefined;
  private closed = false;

  constructor(private readonly kafka: Kafka) {}

  /** As UUIDs; a topic that does not exist is left out, and all are where the broker knows no ids (before Kafka 2.8). */
  async of(topics: readonly string[]): Promise<Map<string, string>> {
    const cluster = await this.cluster();
    await cluster.refreshMetadataIfNecessary();
    const broker = await cluster.brokerPool.findConnectedBroker();
    if ((broker.versions?.[API_KEY]?.maxVersion ?? 0) < API_VERSION) return new Map();
    return broker.connectionPool.send({
      request: {
        apiKey: API_KEY,
        apiVersion: API_VERSION,
        apiName: 'Metadata',
        encode: () => Promise.resolve(encoderOf(encodeRequest(topics))),
      },
      response: {
        decode: (payload) => Promise.resolve(decodeResponse(payload)),
        parse: (ids) => Promise.resolve(ids),
      },
    });
  }

  async close(): Promise<void> {
    this.closed = true;
    const cluster = await this.connecting?.catch(() => undefined);
    this.connecting = undefined;
    await cluster?.disconnect();
  }

  private cluster(): Promise<Cluster> {
    // Nobody would close a connection that is made now.
    if (this.closed) return Promise.reject(new Error('the log is closed'));
    this.connecting ??= connect(this.kafka).catch((error: unknown) => {
      this.connecting = undefined;
      throw error;
    });
    return this.connecting;
  }
}

async function connect(kafka: Kafka): Promise<Cluster> {
  const symbol = Object.getOwnPropertySymbols(kafka).find(
    ({ description }) => description === 'private:Kafka:createCluster',
  );
  if (symbol === undefined) throw new Error('kafkajs keeps its clusters elsewhere than 2.2.4 did');
  const create = (kafka as unknown as Record<symbol, (options: { allowAutoTopicCreation: boolean }) => Cluster>)[
    symbol
  ];
  if (!create) throw new Error('kafkajs keeps its clusters elsewhere than 2.2.4 did');
  const cluster = create({ allowAutoTopicCreation: false });
  await cluster.connect();
  return cluster;
}

function encoderOf(body: Buffer): Encoder {
  const Made = load('kafkajs/src/protocol/encoder') as new () => Encoder;
  const encoder = new Made();
  encoder.writeBufferInternal(body);
  return encoder;
}

/** With the end of the request header version 2 (no tagged fields) before it: kafkajs writes version 1. */
export function encodeRequest(topics: readonly string[]): Buffer {
  const parts: Buffer[] = [noTags(), unsignedVarint(topics.length + 1)];
  for (const topic of topics) {
    const name = Buffer.from(topic, 'utf8');
    parts.push(Buffer.alloc(UUID_BYTES), unsignedVarint(name.length + 1), name, noTags());
  }
  // No automatic creation, no authorized operations of cluster or topics.
  parts.push(Buffer.from([0, 0, 0]), noTags());
  return Buffer.concat(parts);
}

/** Behind the correlation id: the tagged fields of the response header version 1, then the body. */
export function decodeResponse(payload: Buffer): Map<string, string> {
  const reader = new FlexibleReader(payload);
  reader.tags();
  reader.skip(4); // throttle time
  reader.array(() => {
    reader.skip(4); // node id
    reader.text(); // host
    reader.skip(4); // port
    reader.text(); // rack
    reader.tags();
  });
  reader.text(); // cluster id
  reader.skip(4); // controller id
  const ids = new Map<string, string>();
  reader.array(() => {
    const error = reader.int16();
    const name = reader.text() ?? '';
    const id = reader.uuid();
    reader.skip(1); // internal
    reader.array(() => {
      reader.skip(2 + 4 + 4 + 4); // error, partition, leader, leader epoch
      for (let list = 0; list < 3; list += 1) reader.array(() => reader.skip(4)); // replicas, in sync, offline
      reader.tags();
    });
    reader.skip(4); // authorized operations
    reader.tags();
    if (error === UNKNOWN_TOPIC_OR_PARTITION) return;
    if (error !== 0 && error !== LEADER_NOT_AVAILABLE) throw new Error(`Metadata of topic ${name}: error ${error}`);
    if (id !== NONE) ids.set(name, id);
  });
  return ids;
}

class FlexibleReader {
  private offset = 0;

  constructor(private readonly bytes: Buffer) {}

  skip(count: number): void {
    this.offset += count;
    if (this.offset > this.bytes.length) throw new RangeError('the Metadata response is shorter than its fields');
  }

  int16(): number {
    this.skip(2);
    return this.bytes.readInt16BE(this.offset - 2);
  }

  uuid(): string {
    this.skip(UUID_BYTES);
    const hex = this.bytes.toString('hex', this.offset - UUID_BYTES, this.offset);
    return hex.replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, '$1-$2-$3-$4-$5');
  }

  /** Compact, nullable: its length and one more, 0 for null. */
  text(): string | undefined {
    const length = this.unsigned() - 1;
    if (length < 0) return undefined;
    this.skip(length);
    return this.bytes.toString('utf8', this.offset - length, this.offset);
  }

  /** Compact, nullable. */
  array(element: () => void): void {
    for (let left = this.unsigned() - 1; left > 0; left -= 1) element();
  }

  tags(): void {
    for (let left = this.unsigned(); left > 0; left -= 1) {
      this.unsigned();
      this.skip(this.unsigned());
    }
  }

  private unsigned(): number {
    let value = 0;
    for (let shift = 0; ; shift += 7) {
      this.skip(1);
      const byte = this.bytes.readUInt8(this.offset - 1);
      value += (byte & 0x7f) * 2 ** shift;
      if (byte < 0x80) return value;
      if (shift >= 28) throw new RangeError('a number of more than five bytes in the Metadata response');
    }
  }
}

function unsignedVarint(value: number): Buffer {
  const bytes: number[] = [];
  let rest = value;
  for (; rest >= 0x80; rest = Math.floor(rest / 0x80)) bytes.push((rest % 0x80) | 0x80);
  bytes.push(rest);
  return Buffer.from(bytes);
}

function noTags(): Buffer {
  return Buffer.from([0]);
}
