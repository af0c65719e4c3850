// Small events of one stream, and a look at what stands on a topic.
import { Kafka, logLevel, type KafkaMessage } from 'kafkajs';
import { events } from '@headrace/contracts';
import { DataArrived } from '@headrace/contracts/proto/ingestion/v1/ingestion_events';
import { testKafkaBrokers, uniqueName } from '@headrace/testing';
import type { DataSource } from 'typeorm';
import type { BulkMessage } from '@headrace/messaging';

export function dataArrived(stream: string, recordKey: string, upstreamId: string): DataArrived {
  return DataArrived.fromPartial({ stream, recordKey, upstreamId });
}

/** Number `sequence` of one producer. */
export function arrival(stream: string, key: string, sequence: number, shard = 'upstream/0'): BulkMessage<DataArrived> {
  return {
    definition: events.DataArrived,
    data: dataArrived(stream, key, String(sequence)),
    id: `${shard}/${sequence}`,
    producer: { shard, sequence },
    cause: null,
    stream,
  };
}

/** One for each sequence from 1, over this many keys. */
export function arrivals(stream: string, count: number, keys: number, from = 1): BulkMessage<DataArrived>[] {
  return Array.from({ length: count }, (_, index) => arrival(stream, `k${(from + index) % keys}`, from + index));
}

export const kafka = (): Kafka => new Kafka({ brokers: testKafkaBrokers(), logLevel: logLevel.NOTHING });

/** Every record of a topic, or none when it does not exist. */
export async function recordsOf(topic: string): Promise<KafkaMessage[]> {
  const client = kafka();
  const admin = client.admin();
  const groupId = uniqueName('spec');
  const consumer = client.consumer({ groupId, maxWaitTimeInMs: 50 });
  const records: KafkaMessage[] = [];
  await admin.connect();
  try {
    if (!(await admin.listTopics()).includes(topic)) return [];
    const ends = await admin.fetchTopicOffsets(topic);
    const wanted = ends.reduce((sum, { high, low }) => sum + Number(high) - Number(low), 0);
    if (wanted === 0) return [];
    await consumer.connect();
    await consumer.subscribe({ topics: [topic], fromBeginning: true });
    await new Promise<void>((resolve, reject) => {
      const eachMessage = ({ message }: { message: KafkaMessage }): Promise<void> => {
        records.push(message);
        if (records.length >= wanted) resolve();
        return Promise.resolve();
      };
      consumer.run({ autoCommit: false, eachMessage }).catch(reject);
    });
    return records;
  } finally {
    await consumer.disconnect();
    await admin.disconnect();
  }
}

export interface Effect {
  readonly key: string;
  readonly sequence: number;
  readonly note: string;
}

export async function effectsOf(dataSource: DataSource, service: string): Promise<Effect[]> {
  const found: unknown = await dataSource.query(
    'SELECT key, sequence, note FROM effects WHERE service = $1 ORDER BY nth',
    [service],
  );
  return (found as { key: string; sequence: string; note: string }[]).map((row) => ({
    ...row,
    sequence: Number(row.sequence),
  }));
}

/** Keys whose effects went backwards. */
export function inversions(effects: readonly Effect[]): string[] {
  const last = new Map<string, number>();
  const wrong: string[] = [];
  for (const { key, sequence } of effects) {
    if (sequence <= (last.get(key) ?? 0)) wrong.push(`${key}: ${sequence} after ${last.get(key)}`);
    last.set(key, sequence);
  }
  return wrong;
}
