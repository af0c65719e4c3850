import { ArtifactStore } from '@headrace/artifacts';
import { TokenTable } from '@headrace/grpc';
import { Module, type DynamicModule, type InjectionToken } from '@nestjs/common';
import type { BaseSettings } from './config';
import { HealthController } from './health.controller';
import type { Logger } from './logging';
import { Readiness } from './readiness';

/** The service's parsed settings (its own type of them). */
export const SETTINGS = Symbol('SETTINGS');
/** The service's name, such as "feature-store". */
export const SERVICE_NAME = Symbol('SERVICE_NAME');
/**
 * null, or the schema in which this process rebuilds state from the log: it then has no servers and no timers. See
 * replay-command.ts.
 */
export const REPLAY_SCHEMA = Symbol('REPLAY_SCHEMA');
/** pino logger of the service. */
export const LOGGER = Symbol('LOGGER');

/** What every service gets: settings, logger, readiness, artifact store, tokens, health endpoints. Global. */
@Module({})
export class ServiceKitModule {
  static forService(
    service: string,
    settings: BaseSettings,
    logger: Logger,
    replaySchema: string | null = null,
  ): DynamicModule {
    const tokens: InjectionToken[] = [
      SETTINGS,
      SERVICE_NAME,
      LOGGER,
      REPLAY_SCHEMA,
      Readiness,
      ArtifactStore,
      TokenTable,
    ];
    return {
      module: ServiceKitModule,
      global: true,
      controllers: [HealthController],
      providers: [
        { provide: SETTINGS, useValue: settings },
        { provide: SERVICE_NAME, useValue: service },
        { provide: LOGGER, useValue: logger },
        { provide: REPLAY_SCHEMA, useValue: replaySchema },
        { provide: ArtifactStore, useValue: new ArtifactStore(settings.HEADRACE_ARTIFACTS) },
        { provide: TokenTable, useValue: new TokenTable(settings.HEADRACE_TOKENS_FILE) },
        Readiness,
      ],
      exports: tokens,
    };
  }
}
