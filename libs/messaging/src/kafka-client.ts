// The kafkajs client of a service: settings that survive an outage, one shared admin, logs through our port.
import './kafkajs-repairs';
import { Kafka, logLevel, Partitioners, type Admin, type Producer, type RetryOptions } from 'kafkajs';
import type { MessagingLogger } from './logger';

/** Outlasts an outage of many minutes; the default gives up after seconds. */
export const OUTLAST: RetryOptions = { initialRetryTime: 50, maxRetryTime: 1000, retries: 1000 };
/** For calls that their caller repeats. */
const BRIEF: RetryOptions = { initialRetryTime: 50, maxRetryTime: 1000, retries: 5 };

export class KafkaClient {
  readonly kafka: Kafka;
  private connecting: Promise<Admin> | undefined;

  constructor(clientId: string, brokers: readonly string[], logger: MessagingLogger) {
    this.kafka = new Kafka({
      clientId,
      brokers: [...brokers],
      logLevel: logLevel.INFO,
      // kafkajs repeats what it reports as errors; what it gives up on reaches us as CRASH or a rejection.
      logCreator: () => (entry) => {
        const { message, timestamp: _timestamp, logger: _name, ...fields } = entry.log;
        const text = `kafkajs ${entry.namespace}: ${message}`;
        if (entry.level <= logLevel.WARN) logger.warn(fields, text);
        else logger.debug(fields, text);
      },
    });
  }

  admin(): Promise<Admin> {
    this.connecting ??= this.connectAdmin().catch((error: unknown) => {
      this.connecting = undefined;
      throw error;
    });
    return this.connecting;
  }

  producer(): Producer {
    return this.kafka.producer({
      idempotent: true,
      allowAutoTopicCreation: false,
      createPartitioner: Partitioners.DefaultPartitioner,
      // An idempotent producer that gives up could leave a gap in its sequence.
      retry: { ...OUTLAST, retries: Number.MAX_SAFE_INTEGER },
    });
  }

  async clusterId(): Promise<string> {
    return (await (await this.admin()).describeCluster()).clusterId;
  }

  async close(): Promise<void> {
    const admin = await this.connecting?.catch(() => undefined);
    this.connecting = undefined;
    await admin?.disconnect();
  }

  private async connectAdmin(): Promise<Admin> {
    const admin = this.kafka.admin({ retry: BRIEF });
    await admin.connect();
    return admin;
  }
}
