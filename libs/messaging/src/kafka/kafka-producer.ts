import { Partitioners, type Kafka, type Message, type Producer } from 'kafkajs';
import type { LogMessage, LogProducer } from '../log/port';
import { OUTLAST } from './outlast';

class KafkaProducer implements LogProducer {
  constructor(private readonly producer: Producer) {}

  async send(messages: readonly LogMessage[]): Promise<void> {
    const byTopic = new Map<string, Message[]>();
    for (const { topic, key, value, headers, partition } of messages) {
      const list = byTopic.get(topic) ?? [];
      list.push({ key, value, headers: { ...headers }, ...(partition === undefined ? {} : { partition }) });
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

export async function connectKafkaProducer(kafka: Kafka): Promise<LogProducer> {
  const producer = kafka.producer({
    idempotent: true,
    allowAutoTopicCreation: false,
    createPartitioner: Partitioners.DefaultPartitioner,
    // An idempotent producer that gives up could leave a gap in its sequence.
    retry: { ...OUTLAST, retries: Number.MAX_SAFE_INTEGER },
  });
  await producer.connect();
  return new KafkaProducer(producer);
}
