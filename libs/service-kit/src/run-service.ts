import 'reflect-metadata';
import { Module, type DynamicModule, type INestApplication, type InjectionToken, type Type } from '@nestjs/common';
import { startTracing, type Tracing } from '@headrace/tracing';
import { NestFactory } from '@nestjs/core';
import type { CustomTransportStrategy } from '@nestjs/microservices';
import { collectDefaultMetrics } from 'prom-client';
import type { z } from 'zod';
import { readConfig, type BaseSettings, type DatabaseSettings, type ServiceConfig } from './config';
import { createLogger, NestLogger, type Logger } from './logging';
import { Readiness } from './readiness';
import { parseReplayArguments } from './replay-arguments';
import { runReplay, type Replayable } from './replay-command';
import { ServiceKitModule } from './service-kit.module';

/** A collector that is away must not hold a shutdown up. */
const SPANS_FLUSH_MS = 3_000;

@Module({})
class RootModule {}

/** A transport strategy; `notReady` says what it waits for. */
type Transport = CustomTransportStrategy & { notReady?(): string | undefined };

/** Tokens of transport strategies that the application listens on besides HTTP (KafkaEventServer of libs/messaging). */
export interface RunOptions {
  readonly transports?: readonly InjectionToken<Transport>[];
  /** Groups whose state can be rebuilt from the log: `main.js replay --group …`. */
  readonly replay?: Replayable;
}

export interface CreateOptions extends Pick<RunOptions, 'transports'> {
  /** See REPLAY_SCHEMA. */
  readonly replaySchema?: string;
}

/** Builds the application without listening, for tests too. */
export async function createService(
  module: Type<unknown> | DynamicModule,
  service: string,
  settings: BaseSettings,
  logger: Logger,
  options: CreateOptions = {},
): Promise<INestApplication> {
  const root: DynamicModule = {
    module: RootModule,
    imports: [ServiceKitModule.forService(service, settings, logger, options.replaySchema ?? null), module],
  };
  const app = await NestFactory.create(root, {
    logger: new NestLogger(logger),
    bodyParser: false,
    abortOnError: false,
  });
  for (const token of options.transports ?? []) {
    const strategy = app.get<Transport>(token);
    app.connectMicroservice({ strategy }, { inheritAppConfig: true });
    if (strategy.notReady) app.get(Readiness).register('events', () => strategy.notReady?.());
  }
  return app;
}

/** Runs one service until SIGTERM or SIGINT: three lines of main.ts. Exits non-zero when it cannot start. */
export function runService<S extends z.ZodRawShape>(
  module: Type<unknown> | DynamicModule,
  config: ServiceConfig<S>,
  options: RunOptions = {},
): void {
  const [command, ...args] = process.argv.slice(2);
  const running = command === 'replay' ? replay(module, config, options, args) : start(module, config, options);
  void running.catch((error: unknown) => {
    // A person reads what a command says; what a service says goes to a log.
    const stack = error instanceof Error && command !== 'replay' ? error.stack : undefined;
    process.stderr.write(`${stack ?? (error instanceof Error ? error.message : String(error))}\n`);
    process.exit(1);
  });
}

/** In place of serving. Ends the process: 0, or 2 when a comparison found a difference. */
async function replay<S extends z.ZodRawShape>(
  module: Type<unknown> | DynamicModule,
  config: ServiceConfig<S>,
  options: RunOptions,
  args: readonly string[],
): Promise<void> {
  const { service } = config;
  if (!options.replay) throw new Error(`${service} has no group that can be replayed: its state is what it decided`);
  const request = parseReplayArguments(service, options.replay, args);
  const settings = readConfig(config, process.env) as unknown as BaseSettings & DatabaseSettings;
  const logger = createLogger(service, settings.LOG_LEVEL, 'stderr');
  const stopping = new AbortController();
  for (const signal of ['SIGINT', 'SIGTERM'])
    process.once(signal, () => stopping.abort(new Error(`stopped: ${signal}`)));
  const result = await runReplay(
    { service, settings, logger, replayable: options.replay, signal: stopping.signal },
    request,
    (replaySchema) =>
      createService(module, service, settings, logger, { transports: options.transports ?? [], replaySchema }),
  );
  process.stdout.write(`${JSON.stringify(result)}\n`);
  process.exit(result.comparison?.same === false ? 2 : 0);
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
