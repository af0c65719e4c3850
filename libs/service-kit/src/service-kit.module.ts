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
/** pino logger of the service. */
export const LOGGER = Symbol('LOGGER');

/** What every service gets: settings, logger, readiness, artifact store, tokens, health endpoints. Global. */
@Module({})
export class ServiceKitModule {
  static forService(service: string, settings: BaseSettings, logger: Logger): DynamicModule {
    const tokens: InjectionToken[] = [SETTINGS, SERVICE_NAME, LOGGER, Readiness, ArtifactStore, TokenTable];
    return {
      module: ServiceKitModule,
      global: true,
      controllers: [HealthController],
      providers: [
        { provide: SETTINGS, useValue: settings },
        { provide: SERVICE_NAME, useValue: service },
        { provide: LOGGER, useValue: logger },
        { provide: ArtifactStore, useValue: new ArtifactStore(settings.HEADRACE_ARTIFACTS) },
        { provide: TokenTable, useValue: new TokenTable(settings.HEADRACE_TOKENS_FILE) },
        Readiness,
      ],
      exports: tokens,
    };
  }
}
