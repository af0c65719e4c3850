// Acknowledged writes to the log: one idempotent producer, known topics, requests the broker accepts.
import type { Message, Producer } from 'kafkajs';
import type { KafkaClient } from './kafka-client';
import { createTopics } from './topics';

export interface LogMessage {
  readonly topic: string;
  readonly key: Buffer | null;
  readonly value: Buffer | null;
  readonly headers: Readonly<Record<string, Buffer | string>>;
  /** Default: by key. */
  readonly partition?: number;
}

/** kafkajs makes one record batch of all messages to a partition, and the broker limits a batch to 1 MiB. */
const MAX_BATCH_BYTES = 900_000;
const MAX_BATCH_MESSAGES = 1000;

export class LogWriter {
  private readonly known = new Set<string>();
  private producing: Promise<Producer> | undefined;

  constructor(private readonly client: KafkaClient) {}

  /** In order; resolves when every in-sync replica has all. */
  async write(messages: readonly LogMessage[]): Promise<void> {
    if (messages.length === 0) return;
    await this.ensure(messages);
    const producer = await this.producer();
    try {
      for (const batch of batches(messages)) {
        const byTopic = new Map<string, Message[]>();
        for (const { topic, key, value, headers, partition } of batch) {
          const list = byTopic.get(topic) ?? [];
          list.push({ key, value, headers: { ...headers }, ...(partition === undefined ? {} : { partition }) });
          byTopic.set(topic, list);
        }
        await producer.sendBatch({
          acks: -1,
          topicMessages: [...byTopic].map(([topic, list]) => ({ topic, messages: list })),
        });
      }
    } catch (error) {
      // Its sequence numbers may be out of step with the broker now: the next write begins with a fresh one.
      this.producing = undefined;
      this.known.clear();
      await producer.disconnect().catch(() => undefined);
      throw error;
    }
  }

  async close(): Promise<void> {
    const producer = await this.producing?.catch(() => undefined);
    this.producing = undefined;
    await producer?.disconnect();
  }

  private async ensure(messages: readonly LogMessage[]): Promise<void> {
    const unknown = [...new Set(messages.map(({ topic }) => topic))].filter((topic) => !this.known.has(topic));
    if (unknown.length === 0) return;
    await createTopics(await this.client.admin(), unknown);
    for (const topic of unknown) this.known.add(topic);
  }

  private producer(): Promise<Producer> {
    this.producing ??= this.connect().catch((error: unknown) => {
      this.producing = undefined;
      throw error;
    });
    return this.producing;
  }

  private async connect(): Promise<Producer> {
    const producer = this.client.producer();
    await producer.connect();
    return producer;
  }
}

export function* batches<M extends Pick<LogMessage, 'key' | 'value'>>(messages: readonly M[]): Generator<M[]> {
  let batch: M[] = [];
  let bytes = 0;
  for (const message of messages) {
    const size = (message.key?.byteLength ?? 0) + (message.value?.byteLength ?? 0) + 600;
    if (batch.length > 0 && (bytes + size > MAX_BATCH_BYTES || batch.length >= MAX_BATCH_MESSAGES)) {
      yield batch;
      batch = [];
      bytes = 0;
    }
    batch.push(message);
    bytes += size;
  }
  if (batch.length > 0) yield batch;
}
