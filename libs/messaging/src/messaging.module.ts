import type { DynamicModule, FactoryProvider, ModuleMetadata, Provider } from '@nestjs/common';
import { DataSource } from 'typeorm';
import { KafkaEventServer } from './kafka-event-server';
import { MessagingRuntime } from './messaging-runtime';
import type { MessagingOptions } from './options';
import {
  BULK_PUBLISHER,
  LOG_READER,
  MESSAGING_HEALTH,
  MESSAGING_OPTIONS,
  TOPIC_SUBSCRIPTIONS,
  UNIT_OF_WORK,
} from './tokens';

export interface MessagingAsyncOptions {
  readonly imports?: NonNullable<ModuleMetadata['imports']>;
  readonly inject?: NonNullable<FactoryProvider['inject']>;
  readonly useFactory: (...dependencies: never[]) => MessagingOptions | Promise<MessagingOptions>;
}

/**
 * Gives UNIT_OF_WORK, BULK_PUBLISHER, LOG_READER, TOPIC_SUBSCRIPTIONS, MESSAGING_HEALTH and KafkaEventServer to the
 * whole application. Uses TypeORM's DataSource when a global module (or one of `imports`) provides it; without one
 * UNIT_OF_WORK is undefined.
 */
export class MessagingModule {
  static forService(options: MessagingOptions & Pick<MessagingAsyncOptions, 'imports'>): DynamicModule {
    const { imports, ...rest } = options;
    return MessagingModule.forServiceAsync({ ...(imports ? { imports } : {}), useFactory: () => rest });
  }

  static forServiceAsync({ imports = [], inject = [], useFactory }: MessagingAsyncOptions): DynamicModule {
    const provided: Provider[] = [
      {
        provide: UNIT_OF_WORK,
        useFactory: (runtime: MessagingRuntime, dataSource?: DataSource) =>
          dataSource ? runtime.unitOfWork : undefined,
        inject: [MessagingRuntime, { token: DataSource, optional: true }],
      },
      {
        provide: BULK_PUBLISHER,
        useFactory: (runtime: MessagingRuntime) => runtime.bulkPublisher,
        inject: [MessagingRuntime],
      },
      { provide: LOG_READER, useFactory: (runtime: MessagingRuntime) => runtime.logReader, inject: [MessagingRuntime] },
      {
        provide: TOPIC_SUBSCRIPTIONS,
        useFactory: (runtime: MessagingRuntime) => runtime.selection,
        inject: [MessagingRuntime],
      },
      {
        provide: MESSAGING_HEALTH,
        useFactory: (runtime: MessagingRuntime) => runtime.status,
        inject: [MessagingRuntime],
      },
      {
        provide: KafkaEventServer,
        useFactory: (runtime: MessagingRuntime) => new KafkaEventServer(runtime),
        inject: [MessagingRuntime],
      },
    ];
    return {
      module: MessagingModule,
      global: true,
      imports,
      providers: [
        { provide: MESSAGING_OPTIONS, useFactory, inject },
        {
          provide: MessagingRuntime,
          useFactory: (options: MessagingOptions, dataSource?: DataSource) => new MessagingRuntime(options, dataSource),
          inject: [MESSAGING_OPTIONS, { token: DataSource, optional: true }],
        },
        ...provided,
      ],
      exports: [UNIT_OF_WORK, BULK_PUBLISHER, LOG_READER, TOPIC_SUBSCRIPTIONS, MESSAGING_HEALTH, KafkaEventServer],
    };
  }
}
