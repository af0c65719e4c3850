import { createHash } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import { Global, Inject, Module, type DynamicModule, type OnApplicationShutdown } from '@nestjs/common';
import { Client } from 'pg';
import { DataSource, type DataSourceOptions } from 'typeorm';
import type { DatabaseSettings } from './config';
import type { Logger } from './logging';
import { LOGGER, REPLAY_SCHEMA, SERVICE_NAME, SETTINGS } from './service-kit.module';

type Tables = Exclude<DataSourceOptions['entities'], undefined>;
type Migrations = Exclude<DataSourceOptions['migrations'], undefined>;

const CONNECT_ATTEMPTS = 120;
const CONNECT_PAUSE_MS = 500;

/** A schema for each service: "feature-store" → feature_store. */
export function schemaOf(service: string): string {
  return service.replaceAll('-', '_');
}

/**
 * Connects and migrates. Two instances may start at once: schema and migrations are made under one advisory lock.
 * A database that is away is waited for, for a minute.
 */
export async function openDatabase(options: {
  readonly service: string;
  /** Default: that of the service. */
  readonly schema?: string;
  readonly url: string;
  readonly poolSize: number;
  readonly tables: Tables;
  readonly migrations: Migrations;
  readonly logger: Pick<Logger, 'warn'>;
}): Promise<DataSource> {
  const schema = options.schema ?? schemaOf(options.service);
  const lock = createHash('sha256').update(`headrace migrations ${schema}`).digest().readInt32BE(0);
  const client = await connectWhenUp(options.url, options.logger);
  try {
    await client.query('SELECT pg_advisory_lock($1)', [lock]);
    await client.query(`CREATE SCHEMA IF NOT EXISTS "${schema}"`);
    const source = new DataSource({
      type: 'postgres',
      url: options.url,
      schema,
      entities: options.tables,
      migrations: options.migrations,
      migrationsTableName: 'migrations',
      migrationsTransactionMode: 'each',
      poolSize: options.poolSize,
      extra: { options: `-c search_path="${schema}"`, application_name: `headrace-${options.service}` },
      poolErrorHandler: (error: unknown) => options.logger.warn({ err: error }, 'a database connection was lost'),
    });
    await source.initialize();
    await source.runMigrations();
    return source;
  } finally {
    await client.end();
  }
}

async function connectWhenUp(url: string, logger: Pick<Logger, 'warn'>): Promise<Client> {
  for (let attempt = 1; ; attempt += 1) {
    const client = new Client({ connectionString: url });
    try {
      await client.connect();
      return client;
    } catch (error) {
      await client
        .end()
        .catch((closing: unknown) => logger.warn({ err: closing }, 'closing a failed connection failed'));
      if (attempt >= CONNECT_ATTEMPTS) throw error;
      if (attempt % 10 === 1) logger.warn({ err: error, attempt }, 'the database does not answer, waiting for it');
      await delay(CONNECT_PAUSE_MS);
    }
  }
}

/** Provides TypeORM's DataSource on the service's own schema. */
@Global()
@Module({})
export class DatabaseModule implements OnApplicationShutdown {
  constructor(@Inject(DataSource) private readonly source: DataSource) {}

  static forService(tables: Tables, migrations: Migrations): DynamicModule {
    return {
      module: DatabaseModule,
      providers: [
        {
          provide: DataSource,
          inject: [SERVICE_NAME, SETTINGS, LOGGER, REPLAY_SCHEMA],
          useFactory: (service: string, settings: DatabaseSettings, logger: Logger, replaySchema: string | null) =>
            openDatabase({
              service,
              schema: replaySchema ?? schemaOf(service),
              url: settings.DATABASE_URL,
              poolSize: settings.DATABASE_POOL_SIZE,
              tables,
              migrations,
              logger,
            }),
        },
      ],
      exports: [DataSource],
    };
  }

  async onApplicationShutdown(): Promise<void> {
    await this.source.destroy();
  }
}
