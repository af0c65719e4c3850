import 'reflect-metadata';
import { Module, type DynamicModule, type INestApplication, type InjectionToken, type Type } from '@nestjs/common';
import { startTracing, type Tracing } from '@headrace/tracing';
import { NestFactory } from '@nestjs/core';
import type { CustomTransportStrategy } from '@nestjs/microservices';
import { collectDefaultMetrics } from 'prom-client';
import type { z } from 'zod';
import { readConfig, type BaseSettings, type ServiceConfig } from './config';
import { createLogger, NestLogger, type Logger } from './logging';
import { ServiceKitModule } from './service-kit.module';

/** A collector that is away must not hold a shutdown up. */
const SPANS_FLUSH_MS = 3_000;

@Module({})
class RootModule {}

/** Tokens of transport strategies that the application listens on besides HTTP (KafkaEventServer of libs/messaging). */
export interface RunOptions {
  readonly transports?: readonly InjectionToken<CustomTransportStrategy>[];
}

/** Builds the application without listening, for tests too. */
export async function createService(
  module: Type<unknown> | DynamicModule,
  service: string,
  settings: BaseSettings,
  logger: Logger,
  options: RunOptions = {},
): Promise<INestApplication> {
  const root: DynamicModule = {
    module: RootModule,
    imports: [ServiceKitModule.forService(service, settings, logger), module],
  };
  const app = await NestFactory.create(root, {
    logger: new NestLogger(logger),
    bodyParser: false,
    abortOnError: false,
  });
  for (const token of options.transports ?? []) {
    app.connectMicroservice({ strategy: app.get<CustomTransportStrategy>(token) }, { inheritAppConfig: true });
  }
  return app;
}

/** Runs one service until SIGTERM or SIGINT: three lines of main.ts. Exits non-zero when it cannot start. */
export function runService<S extends z.ZodRawShape>(
  module: Type<unknown> | DynamicModule,
  config: ServiceConfig<S>,
  options: RunOptions = {},
): void {
  void start(module, config, options).catch((error: unknown) => {
    process.stderr.write(`${error instanceof Error ? (error.stack ?? error.message) : String(error)}\n`);
    process.exit(1);
  });
}

async function start<S extends z.ZodRawShape>(
  module: Type<unknown> | DynamicModule,
  config: ServiceConfig<S>,
  options: RunOptions,
): Promise<void> {
  const settings = readConfig(config, process.env) as unknown as BaseSettings;
  const logger = createLogger(config.service, settings.LOG_LEVEL);
  collectDefaultMetrics({ labels: { service: config.service } });
  process.on('uncaughtException', (error) => {
    logger.fatal({ err: error }, 'uncaught exception');
    process.exit(1);
  });
  process.on('unhandledRejection', (reason) => {
    logger.fatal({ err: reason }, 'unhandled rejection');
    process.exit(1);
  });
  // First: what is built from here on looks whether spans are recorded.
  const tracing = await traceIfAsked(config.service, settings, logger);
  const app = await createService(module, config.service, settings, logger, options);
  stopOnSignal(app, logger, settings, tracing);
  await app.listen(settings.HTTP_PORT, settings.HTTP_HOST);
  await app.startAllMicroservices();
  logger.info({ http: await app.getUrl() }, 'service started');
}

/** Spans are made only where somebody takes them. */
async function traceIfAsked(service: string, settings: BaseSettings, logger: Logger): Promise<Tracing | undefined> {
  const endpoint = settings.OTEL_EXPORTER_OTLP_TRACES_ENDPOINT || settings.OTEL_EXPORTER_OTLP_ENDPOINT;
  if (!endpoint) return undefined;
  logger.info({ endpoint }, 'spans are exported');
  return startTracing({ service, log: logger });
}

function stopOnSignal(
  app: INestApplication,
  logger: Logger,
  settings: BaseSettings,
  tracing: Tracing | undefined,
): void {
  let stopping = false;
  const stop = (signal: string): void => {
    if (stopping) return;
    stopping = true;
    logger.info({ signal }, 'shutting down');
    setTimeout(() => {
      logger.error({ seconds: settings.SHUTDOWN_SECONDS }, 'shutdown took too long, leaving');
      process.exit(1);
    }, settings.SHUTDOWN_SECONDS * 1_000).unref();
    const close = async (): Promise<void> => {
      await app.close();
      await tracing?.stop(SPANS_FLUSH_MS);
    };
    close().then(
      () => process.exit(0),
      (error: unknown) => {
        logger.error({ err: error }, 'shutdown failed');
        process.exit(1);
      },
    );
  };
  process.on('SIGTERM', stop);
  process.on('SIGINT', stop);
  if (settings.HEADRACE_PARENT_WATCH === '1') process.stdin.on('end', () => stop('parent gone')).resume();
}
