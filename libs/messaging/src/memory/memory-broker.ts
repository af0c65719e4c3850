// A log in memory for specs: topics, partitions, offsets and groups as Kafka has them, within one process. Nothing is ever
// removed (no retention, no compaction), and it is never away.
import { randomUUID } from 'node:crypto';
import type {
  ConsumerOptions,
  EventLog,
  LogBroker,
  LogConsumer,
  LogMessage,
  LogProducer,
  PartitionOffsets,
  TopicConfig,
} from '../log/port';
import type { MessagingLogger } from '../logger';
import { MemoryConsumer } from './memory-consumer';
import { MemoryGroup } from './memory-group';
import { MemoryTopic } from './memory-topic';

class UnknownTopic extends Error {
  readonly type = 'UNKNOWN_TOPIC_OR_PARTITION';
}

export class MemoryBroker implements LogBroker {
  readonly clusterId = `memory-${randomUUID()}`;
  private readonly topics = new Map<string, MemoryTopic>();
  private readonly groups = new Map<string, MemoryGroup>();
  private readonly listeners = new Set<() => void>();
  private telling = false;

  connect(_clientId: string, logger: MessagingLogger): EventLog {
    return new MemoryLog(this, logger);
  }

  /** Its records are gone; made again it begins at offset 0. */
  deleteTopic(name: string): void {
    this.topics.delete(name);
  }

  topicNames(): string[] {
    return [...this.topics.keys()];
  }

  createTopic({ name, partitions }: TopicConfig): void {
    if (!this.topics.has(name)) this.topics.set(name, new MemoryTopic(name, partitions));
  }

  topic(name: string): MemoryTopic | undefined {
    return this.topics.get(name);
  }

  existingTopic(name: string): MemoryTopic {
    const topic = this.topics.get(name);
    if (!topic) throw new UnknownTopic(`topic ${name} does not exist`);
    return topic;
  }

  append(messages: readonly LogMessage[]): void {
    const byTopic = new Map<MemoryTopic, LogMessage[]>();
    for (const message of messages) {
      const topic = this.existingTopic(message.topic);
      const list = byTopic.get(topic) ?? [];
      list.push(message);
      byTopic.set(topic, list);
    }
    const timestampMs = Date.now();
    for (const [topic, list] of byTopic) topic.append(list, timestampMs);
    this.tell();
  }

  group(id: string): MemoryGroup {
    const known = this.groups.get(id);
    if (known) return known;
    const made = new MemoryGroup((topic) => this.topics.get(topic)?.partitionCount ?? 0);
    this.groups.set(id, made);
    return made;
  }

  onAppend(listener: () => void): () => void {
    this.listeners.add(listener);
    return () => void this.listeners.delete(listener);
  }

  private tell(): void {
    if (this.telling) return;
    this.telling = true;
    setImmediate(() => {
      this.telling = false;
      for (const listener of [...this.listeners]) listener();
    });
  }
}

class MemoryLog implements EventLog {
  constructor(
    private readonly broker: MemoryBroker,
    private readonly logger: MessagingLogger,
  ) {}

  clusterId(): Promise<string> {
    return Promise.resolve(this.broker.clusterId);
  }

  topicNames(): Promise<Set<string>> {
    return Promise.resolve(new Set(this.broker.topicNames()));
  }

  topicIds(topics: readonly string[]): Promise<Map<string, string>> {
    const ids = new Map<string, string>();
    for (const name of topics) {
      const topic = this.broker.topic(name);
      if (topic) ids.set(name, topic.id);
    }
    return Promise.resolve(ids);
  }

  createTopics(topics: readonly TopicConfig[]): Promise<void> {
    for (const topic of topics) this.broker.createTopic(topic);
    return Promise.resolve();
  }

  async offsets(topic: string): Promise<PartitionOffsets[]> {
    return Promise.resolve(this.broker.existingTopic(topic).offsets());
  }

  async offsetsAt(topic: string, timestampMs: number): Promise<Map<number, number>> {
    return Promise.resolve(this.broker.existingTopic(topic).offsetsAt(timestampMs));
  }

  connectProducer(): Promise<LogProducer> {
    return Promise.resolve(new MemoryProducer(this.broker));
  }

  consumer(options: ConsumerOptions): LogConsumer {
    const { broker } = this;
    const view = {
      group: broker.group(options.group),
      topic: (name: string) => broker.topic(name),
      onAppend: (listener: () => void) => broker.onAppend(listener),
    };
    return new MemoryConsumer(view, options, this.logger);
  }

  close(): Promise<void> {
    return Promise.resolve();
  }
}

class MemoryProducer implements LogProducer {
  private closed = false;

  constructor(private readonly broker: MemoryBroker) {}

  async send(messages: readonly LogMessage[]): Promise<void> {
    if (this.closed) throw new Error('the producer is closed');
    this.broker.append(messages);
    return Promise.resolve();
  }

  close(): Promise<void> {
    this.closed = true;
    return Promise.resolve();
  }
}
