import { Partitioners, type ICustomPartitioner, type IHeaders, type Kafka, type Message, type Producer } from 'kafkajs';
import { murmur2 } from '../log/murmur2';
import type { LogMessage, LogProducer } from '../log/port';
import { HeaderBlock } from '../record-bytes';
import { OUTLAST } from './outlast';

class KafkaProducer implements LogProducer {
  constructor(private readonly producer: Producer) {}

  async send(messages: readonly LogMessage[]): Promise<void> {
    const byTopic = new Map<string, Message[]>();
    for (const { topic, key, value, headers, partition } of messages) {
      const list = byTopic.get(topic) ?? [];
      list.push({ key, value, headers: forKafkajs(headers), ...(partition === undefined ? {} : { partition }) });
      byTopic.set(topic, list);
    }
    await this.producer.sendBatch({
      acks: -1,
      topicMessages: [...byTopic].map(([topic, list]) => ({ topic, messages: list })),
    });
  }

  close(): Promise<void> {
    return this.producer.disconnect();
  }
}

/** It hands headers on to the record codec as they are, and that one is ours and knows blocks. */
function forKafkajs(headers: LogMessage['headers']): IHeaders {
  return headers instanceof HeaderBlock ? (headers as unknown as IHeaders) : { ...headers };
}

/** The choices of Kafka's own clients. kafkajs makes them too, but hashes in 64-bit integers of its own: 2 µs for a key. */
const partitioner: ICustomPartitioner = () => {
  const others = Partitioners.DefaultPartitioner();
  return (choice) => {
    const { key, partition } = choice.message;
    if (partition !== undefined) return partition;
    return Buffer.isBuffer(key) ? (murmur2(key) & 0x7fffffff) % choice.partitionMetadata.length : others(choice);
  };
};

export async function connectKafkaProducer(kafka: Kafka): Promise<LogProducer> {
  const producer = kafka.producer({
    idempotent: true,
    allowAutoTopicCreation: false,
    createPartitioner: partitioner,
    // An idempotent producer that gives up could leave a gap in its sequence.
    retry: { ...OUTLAST, retries: Number.MAX_SAFE_INTEGER },
  });
  await producer.connect();
  return new KafkaProducer(producer);
}
