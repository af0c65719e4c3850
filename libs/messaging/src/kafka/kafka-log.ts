// The log on Kafka: settings of kafkajs that survive an outage, one shared admin, its logs through our port.
import './kafkajs-repairs';
import './codecs';
import { Kafka, logLevel, type Admin, type RetryOptions } from 'kafkajs';
import type {
  ConsumerOptions,
  EventLog,
  LogConsumer,
  LogProducer,
  PartitionOffsets,
  TopicConfig,
  TopicState,
} from '../log/port';
import type { MessagingLogger } from '../logger';
import { KafkaConsumer } from './kafka-consumer';
import { connectKafkaProducer } from './kafka-producer';
import { createKafkaTopics, readTopicStates } from './kafka-topics';
import { PassingFaults } from './passing-faults';
import { TopicIds } from './topic-ids';
import { topicOffsets, topicOffsetsAt } from './topic-offsets';

/** For calls that their caller repeats. */
const BRIEF: RetryOptions = { initialRetryTime: 50, maxRetryTime: 1000, retries: 5 };

export class KafkaLog implements EventLog {
  private readonly kafka: Kafka;
  private readonly ids: TopicIds;
  private connecting: Promise<Admin> | undefined;
  private closed = false;

  constructor(
    clientId: string,
    brokers: readonly string[],
    private readonly logger: MessagingLogger,
  ) {
    const passing = new PassingFaults();
    this.kafka = new Kafka({
      clientId,
      brokers: [...brokers],
      logLevel: logLevel.INFO,
      // kafkajs repeats what it reports as errors; what it gives up on reaches us as CRASH or a rejection.
      logCreator: () => (entry) => {
        const { message, timestamp: _timestamp, logger: _name, ...fields } = entry.log;
        const text = `kafkajs ${entry.namespace}: ${message}`;
        const isFault = entry.level <= logLevel.WARN;
        const { error } = fields as { readonly error?: unknown };
        if (isFault && !passing.isPassing(`${message} ${String(error)}`)) logger.warn(fields, text);
        else logger.debug(fields, text);
      },
    });
    this.ids = new TopicIds(this.kafka);
  }

  async clusterId(): Promise<string> {
    return (await (await this.admin()).describeCluster()).clusterId;
  }

  async topicNames(): Promise<Set<string>> {
    return new Set(await (await this.admin()).listTopics());
  }

  topicIds(topics: readonly string[]): Promise<Map<string, string>> {
    return this.ids.of(topics);
  }

  async createTopics(topics: readonly TopicConfig[]): Promise<void> {
    await createKafkaTopics(await this.admin(), topics);
  }

  async topicStates(names: readonly string[]): Promise<TopicState[]> {
    return readTopicStates(await this.admin(), names);
  }

  async offsets(topic: string): Promise<PartitionOffsets[]> {
    return topicOffsets(await this.admin(), topic);
  }

  async offsetsAt(topic: string, timestampMs: number): Promise<Map<number, number>> {
    return topicOffsetsAt(await this.admin(), topic, timestampMs);
  }

  connectProducer(): Promise<LogProducer> {
    return connectKafkaProducer(this.kafka);
  }

  consumer(options: ConsumerOptions): LogConsumer {
    return new KafkaConsumer(this.kafka, () => this.admin(), options, this.logger);
  }

  async close(): Promise<void> {
    this.closed = true;
    const admin = await this.connecting?.catch(() => undefined);
    this.connecting = undefined;
    await admin?.disconnect();
    await this.ids.close();
  }

  private admin(): Promise<Admin> {
    // Nobody would close a connection that is made now.
    if (this.closed) return Promise.reject(new Error('the log is closed'));
    this.connecting ??= this.connectAdmin().catch((error: unknown) => {
      this.connecting = undefined;
      throw error;
    });
    return this.connecting;
  }

  private async connectAdmin(): Promise<Admin> {
    const admin = this.kafka.admin({ retry: BRIEF });
    await admin.connect();
    return admin;
  }
}
