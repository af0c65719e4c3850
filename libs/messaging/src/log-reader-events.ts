// Decoding outside a group: nothing can be dead-lettered, so the unreadable is counted, logged and passed over.
import { randomUUID } from 'node:crypto';
import type { Consumer, EachBatchPayload } from 'kafkajs';
import { decode } from './envelope';
import { asError, messageOf } from './faults';
import { OUTLAST, type KafkaClient } from './kafka-client';
import type { MessagingLogger } from './logger';
import { metrics } from './metrics';
import { normaliseHeaders } from './stored-record';
import type { LogEvent } from './types';

const HEARTBEAT_MS = 1000;

export class EventDecoder {
  private readonly last = new Map<string, number>();

  constructor(
    private readonly topic: string,
    private readonly logger: MessagingLogger,
  ) {}

  /** Undefined for repeats and for what cannot be read. */
  decode(partition: number, message: EachBatchPayload['batch']['messages'][number]): LogEvent | undefined {
    const { topic } = this;
    const decoded = decode({
      topic,
      partition,
      offset: Number(message.offset),
      timestampMs: Number(message.timestamp),
      key: message.key,
      value: message.value,
      headers: normaliseHeaders(message.headers),
    });
    if (decoded.kind !== 'event') {
      metrics.skippedUnreadable.inc({ topic });
      const fault = decoded.kind === 'undecodable' ? decoded.message : `type ${decoded.type} is not in the catalogue`;
      this.logger.warn({ topic, partition, offset: message.offset, fault }, 'unreadable event passed over');
      return undefined;
    }
    const { shard, sequence } = decoded.event.producer;
    const producer = `${partition}/${shard}`;
    const last = this.last.get(producer);
    if (last !== undefined && sequence <= last) return undefined;
    this.last.set(producer, sequence);
    return decoded.event;
  }
}

export interface PrivateGroup {
  readonly id: string;
  readonly consumer: Consumer;
}

/** A group of one that nobody else joins and that nothing is committed for. */
export function privateGroup(client: KafkaClient, service: string, maxWaitMs: number): PrivateGroup {
  const id = `headrace-reader.${service}.${randomUUID()}`;
  const consumer = client.kafka.consumer({
    groupId: id,
    sessionTimeout: 10_000,
    heartbeatInterval: HEARTBEAT_MS,
    maxWaitTimeInMs: maxWaitMs,
    maxBytesPerPartition: 4 * 1024 * 1024,
    allowAutoTopicCreation: false,
    retry: { ...OUTLAST, restartOnFailure: () => Promise.resolve(true) },
  });
  return { id, consumer };
}

export async function leave(
  client: KafkaClient,
  { id, consumer }: PrivateGroup,
  logger: MessagingLogger,
): Promise<void> {
  await consumer.disconnect();
  try {
    await (await client.admin()).deleteGroups([id]);
  } catch (error) {
    // Kafka forgets an empty group by itself after its offsets' retention.
    logger.debug({ group: id, fault: messageOf(error) }, 'reader group not deleted');
  }
}

/** Keeps the session alive while a batch is worked on. */
export async function whileBeating(heartbeat: () => Promise<void>, work: () => Promise<void>): Promise<void> {
  let interrupted: unknown;
  const beat = setInterval(() => {
    heartbeat().catch((error: unknown) => {
      interrupted ??= error;
    });
  }, HEARTBEAT_MS);
  try {
    await work();
  } finally {
    clearInterval(beat);
  }
  if (interrupted !== undefined) throw asError(interrupted);
}
