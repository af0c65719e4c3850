// An upstream system: plain kafkajs.
import { testKafkaBrokers } from '@headrace/testing';
import { Kafka, logLevel, Partitioners, type Producer } from 'kafkajs';
import { headersOf, orderOf } from './builders';

export interface UpstreamMessage {
  readonly key: string;
  readonly value: string | null;
  readonly headers: Record<string, string>;
}

/** The n-th order: one a second, eleven customers' keys in turn. */
export function goodOrder(nth: number): UpstreamMessage {
  const placed = new Date(Date.UTC(2025, 0, 1) + nth * 1_000).toISOString();
  const key = `K-${nth % 11}`;
  return {
    key,
    value: JSON.stringify(orderOf({ order: key, placed, items: 1 + (nth % 7), total: nth / 4 })),
    headers: headersOf(`order-${nth}`),
  };
}

/** Malformed in turn, with ids of their own. */
export function badOrder(nth: number): { readonly message: UpstreamMessage; readonly code: string } {
  const good = goodOrder(nth);
  const data = JSON.parse(good.value ?? '') as Record<string, unknown>;
  const bad = (changes: Partial<UpstreamMessage>, code: string) => ({
    message: { ...good, headers: headersOf(`bad-${nth}`), ...changes },
    code,
  });
  const kinds = [
    () => bad({ value: '{"order": ' }, 'undecodable'),
    () => bad({ value: null }, 'undecodable'),
    () => bad({ value: JSON.stringify({ ...data, placed: undefined }) }, 'missing'),
    () => bad({ value: JSON.stringify({ ...data, items: 'two' }) }, 'wrong_type'),
    () => bad({ value: JSON.stringify({ ...data, total: -1 }) }, 'out_of_range'),
    () => bad({ value: JSON.stringify({ ...data, channel: 'fax' }) }, 'not_allowed'),
    () => bad({ value: JSON.stringify({ ...data, total: 13.3 }) }, 'expectation'),
    () => bad({ headers: {} }, 'bad_envelope'),
  ];
  const kind = kinds[nth % kinds.length] as () => ReturnType<typeof bad>;
  return kind();
}

export class Upstream {
  private constructor(
    readonly topic: string,
    private readonly producer: Producer,
  ) {}

  static async open(topic: string, partitions: number): Promise<Upstream> {
    const kafka = new Kafka({ clientId: 'upstream', brokers: testKafkaBrokers(), logLevel: logLevel.NOTHING });
    const admin = kafka.admin();
    await admin.connect();
    await admin.createTopics({ topics: [{ topic, numPartitions: partitions, replicationFactor: 1 }] });
    await admin.disconnect();
    const producer = kafka.producer({ createPartitioner: Partitioners.DefaultPartitioner, idempotent: true });
    await producer.connect();
    return new Upstream(topic, producer);
  }

  async publish(messages: readonly UpstreamMessage[]): Promise<void> {
    for (let from = 0; from < messages.length; from += 1_000) {
      await this.producer.send({ topic: this.topic, messages: messages.slice(from, from + 1_000), acks: -1 });
    }
  }

  close(): Promise<void> {
    return this.producer.disconnect();
  }
}
