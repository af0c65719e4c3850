// A real Nest application on the real Kafka (or another log) and the real Postgres, with the library's tables and one table of effects.
import 'reflect-metadata';
import { Global, Module, type DynamicModule, type INestApplication, type Provider, type Type } from '@nestjs/common';
import { Test } from '@nestjs/testing';
import { testKafkaBrokers } from '@headrace/testing';
import { DataSource } from 'typeorm';
import {
  BULK_PUBLISHER,
  KafkaEventServer,
  LOG_READER,
  MESSAGING_HEALTH,
  MessagingModule,
  messagingMigrations,
  TOPIC_SUBSCRIPTIONS,
  UNIT_OF_WORK,
  type Brokers,
  type BulkPublisher,
  type LogReader,
  type MessagingHealth,
  type TopicSubscriptions,
  type Tuning,
  type UnitOfWork,
} from '@headrace/messaging';

export interface ServiceOptions {
  readonly service: string;
  /** Default: the Kafka of the test run. */
  readonly brokers?: Brokers;
  readonly dataSource: DataSource;
  readonly controllers?: readonly Type<unknown>[];
  readonly providers?: readonly Provider[];
  readonly tuning?: Partial<Tuning>;
  readonly subscribe?: (subscriptions: TopicSubscriptions) => void;
  /** A process that replays: KafkaEventServer.replay of its app. */
  readonly replay?: boolean;
}

export interface RunningService {
  readonly app: INestApplication;
  readonly unitOfWork: UnitOfWork;
  readonly bulk: BulkPublisher;
  readonly reader: LogReader;
  readonly subscriptions: TopicSubscriptions;
  readonly health: MessagingHealth;
  readonly fatal: Error[];
  readonly warnings: { fields: object; message: string }[];
  stop(): Promise<void>;
}

export async function openTestDatabase(url: string, poolSize = 15): Promise<DataSource> {
  const dataSource = new DataSource({
    type: 'postgres',
    url,
    migrations: [...messagingMigrations],
    poolSize,
    poolErrorHandler: () => undefined,
  });
  await dataSource.initialize();
  await dataSource.runMigrations();
  await dataSource.query(`
    CREATE TABLE IF NOT EXISTS effects (
      nth bigserial, service text, key text, sequence bigint, note text, at timestamptz DEFAULT clock_timestamp()
    )`);
  return dataSource;
}

/** Quick reactions; the sizes as in production. */
const QUICK: Partial<Tuning> = {
  backoffMinMs: 20,
  backoffMaxMs: 200,
  parkedRetryMs: 50,
  topicsDebounceMs: 20,
  maxWaitMs: 100,
};

export async function startService(options: ServiceOptions): Promise<RunningService> {
  const fatal: Error[] = [];
  const warnings: { fields: object; message: string }[] = [];
  const note = (fields: object, message: string): void => void warnings.push({ fields, message });

  @Global()
  @Module({ providers: [{ provide: DataSource, useValue: options.dataSource }], exports: [DataSource] })
  class DatabaseModule {}

  const messaging: DynamicModule = MessagingModule.forService({
    service: options.service,
    brokers: options.brokers ?? testKafkaBrokers(),
    onFatal: (error) => void fatal.push(error),
    logger: { debug: () => undefined, info: () => undefined, warn: note, error: note },
    tuning: { ...QUICK, ...options.tuning },
    replay: options.replay ?? false,
  });
  const testing = await Test.createTestingModule({
    imports: [DatabaseModule, messaging],
    controllers: [...(options.controllers ?? [])],
    providers: [...(options.providers ?? [])],
  }).compile();
  const app = testing.createNestApplication({ logger: false });
  const server = app.get(KafkaEventServer);
  app.connectMicroservice({ strategy: server }, { inheritAppConfig: true });
  await app.init();
  options.subscribe?.(app.get<TopicSubscriptions>(TOPIC_SUBSCRIPTIONS));
  await app.startAllMicroservices();
  if (fatal.length === 0) await Promise.race([server.whenReady(), until(() => fatal.length > 0)]);
  return {
    app,
    unitOfWork: app.get<UnitOfWork>(UNIT_OF_WORK),
    bulk: app.get<BulkPublisher>(BULK_PUBLISHER),
    reader: app.get<LogReader>(LOG_READER),
    subscriptions: app.get<TopicSubscriptions>(TOPIC_SUBSCRIPTIONS),
    health: app.get<MessagingHealth>(MESSAGING_HEALTH),
    fatal,
    warnings,
    stop: () => app.close(),
  };
}

function until(condition: () => boolean): Promise<void> {
  return new Promise((resolve) => {
    const timer = setInterval(() => {
      if (!condition()) return;
      clearInterval(timer);
      resolve();
    }, 20);
    timer.unref();
  });
}
