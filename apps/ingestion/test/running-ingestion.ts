// The whole service on the real Kafka and Postgres, as main.ts runs it, with clients.
import { createHash } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { createServer, type AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DefinitionServiceClient } from '@headrace/contracts/proto/definitions/v1/definitions_service';
import { IngestionServiceClient, type StreamCounts } from '@headrace/contracts/proto/ingestion/v1/ingestion_service';
import type { DataStream } from '@headrace/definitions';
import { authorization, createClient, unary } from '@headrace/grpc';
import { KafkaEventServer } from '@headrace/messaging';
import { createLogger, createService, readConfig } from '@headrace/service-kit';
import { createTestDatabase, testKafkaBrokers, type TestDatabase } from '@headrace/testing';
import type { INestApplication } from '@nestjs/common';
import { Client } from 'pg';
import { ingestionConfig } from '../src/ingestion.config';
import { IngestionModule } from '../src/ingestion.module';

const TOKEN = 'token-of-the-test';

async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  return port;
}

/** Database and folders that outlive a restart. */
export class IngestionSite {
  private constructor(
    readonly database: TestDatabase,
    readonly folder: string,
  ) {}

  static async create(): Promise<IngestionSite> {
    const site = new IngestionSite(
      await createTestDatabase('ingestion'),
      await mkdtemp(join(tmpdir(), 'headrace-ingestion-')),
    );
    const sha256 = createHash('sha256').update(TOKEN).digest('hex');
    writeFileSync(site.tokensFile, JSON.stringify([{ sha256, subject: 'test', roles: ['operator'] }]));
    return site;
  }

  get tokensFile(): string {
    return join(this.folder, 'tokens.json');
  }

  /** Ends the service's sessions, as a database that fails over does: what was not committed is undone. */
  async breakConnections(): Promise<void> {
    const client = new Client({ connectionString: this.database.url });
    await client.connect();
    try {
      await client.query(
        `SELECT pg_terminate_backend(pid) FROM pg_stat_activity
          WHERE datname = current_database() AND application_name = 'headrace-ingestion'`,
      );
    } finally {
      await client.end();
    }
  }

  async remove(): Promise<void> {
    await this.database.drop();
    await rm(this.folder, { recursive: true, force: true });
  }
}

export class RunningIngestion {
  private constructor(
    readonly app: INestApplication,
    private readonly definitions: DefinitionServiceClient,
    private readonly ingestion: IngestionServiceClient,
  ) {}

  static async start(site: IngestionSite): Promise<RunningIngestion> {
    const settings = readConfig(ingestionConfig, {
      KAFKA_BROKERS: testKafkaBrokers().join(','),
      DATABASE_URL: site.database.url,
      GRPC_PORT: String(await freePort()),
      HEADRACE_ARTIFACTS: join(site.folder, 'artifacts'),
      HEADRACE_TOKENS_FILE: site.tokensFile,
      LOG_LEVEL: 'error',
    });
    const logger = createLogger('ingestion', settings.LOG_LEVEL);
    const app = await createService(IngestionModule, 'ingestion', settings, logger, { transports: [KafkaEventServer] });
    await app.init();
    await app.startAllMicroservices();
    const address = `127.0.0.1:${settings.GRPC_PORT}`;
    return new RunningIngestion(
      app,
      createClient(DefinitionServiceClient, { address }),
      createClient(IngestionServiceClient, { address }),
    );
  }

  async apply(definition: DataStream): Promise<void> {
    const call = this.definitions.apply.bind(this.definitions);
    await unary(call, { documentJson: JSON.stringify(definition), dryRun: false }, this.options);
  }

  async counts(stream: string): Promise<StreamCounts> {
    const call = this.ingestion.getStreamCounts.bind(this.ingestion);
    const { streams } = await unary(call, { stream }, this.options);
    const [counts] = streams;
    if (!counts) throw new Error(`no counts of ${stream}`);
    return counts;
  }

  commit(stream: string) {
    return unary(this.ingestion.commitDatasetVersion.bind(this.ingestion), { stream }, this.options);
  }

  async versions(stream: string) {
    const { versions } = await unary(this.ingestion.listDatasetVersions.bind(this.ingestion), { stream }, this.options);
    return versions;
  }

  async stop(): Promise<void> {
    this.definitions.close();
    this.ingestion.close();
    await this.app.close();
  }

  private get options() {
    return { timeoutMs: 30_000, metadata: authorization(TOKEN) };
  }
}
