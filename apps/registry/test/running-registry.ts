// The whole service on the real Kafka and Postgres, as main.ts runs it, with clients and a voice for the other services.
import { createHash, randomUUID } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { createServer, type AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { eventsByType, type EventDefinition } from '@headrace/contracts';
import { DefinitionServiceClient } from '@headrace/contracts/proto/definitions/v1/definitions_service';
import { RegistryServiceClient } from '@headrace/contracts/proto/registry/v1/registry_service';
import type { Definition } from '@headrace/definitions';
import { authorization, createClient, unary, type Role } from '@headrace/grpc';
import {
  BULK_PUBLISHER,
  KafkaEventServer,
  LOG_READER,
  type BulkPublisher,
  type Cause,
  type LogEvent,
  type LogReader,
} from '@headrace/messaging';
import { createLogger, createService, readConfig } from '@headrace/service-kit';
import { createTestDatabase, testKafkaBrokers, type TestDatabase } from '@headrace/testing';
import type { INestApplication } from '@nestjs/common';
import { registryConfig } from '../src/registry.config';
import { RegistryModule } from '../src/registry.module';

const PEOPLE: Readonly<Record<string, Role>> = { ann: 'approver', otto: 'operator', vera: 'viewer' };

async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  return port;
}

/** Database and folders that outlive a restart. */
export class RegistrySite {
  private constructor(
    readonly database: TestDatabase,
    readonly folder: string,
  ) {}

  static async create(): Promise<RegistrySite> {
    const folder = await mkdtemp(join(tmpdir(), 'headrace-registry-'));
    const site = new RegistrySite(await createTestDatabase('registry'), folder);
    const tokens = Object.entries(PEOPLE).map(([subject, role]) => {
      return { sha256: createHash('sha256').update(`token-of-${subject}`).digest('hex'), subject, roles: [role] };
    });
    writeFileSync(site.tokensFile, JSON.stringify(tokens));
    return site;
  }

  get tokensFile(): string {
    return join(this.folder, 'tokens.json');
  }

  async remove(): Promise<void> {
    await this.database.drop();
    await rm(this.folder, { recursive: true, force: true });
  }
}

type Unary<Q, R> = Parameters<typeof unary<Q, R>>[0];

export class RunningRegistry {
  private sequence = 0;
  private readonly shard = randomUUID();

  private constructor(
    readonly app: INestApplication,
    readonly definitions: DefinitionServiceClient,
    readonly registry: RegistryServiceClient,
  ) {}

  static async start(site: RegistrySite): Promise<RunningRegistry> {
    const settings = readConfig(registryConfig, {
      KAFKA_BROKERS: testKafkaBrokers().join(','),
      DATABASE_URL: site.database.url,
      GRPC_PORT: String(await freePort()),
      HEADRACE_ARTIFACTS: join(site.folder, 'artifacts'),
      HEADRACE_TOKENS_FILE: site.tokensFile,
      LOG_LEVEL: 'error',
    });
    const logger = createLogger('registry', settings.LOG_LEVEL);
    const app = await createService(RegistryModule, 'registry', settings, logger, { transports: [KafkaEventServer] });
    await app.init();
    await app.startAllMicroservices();
    const address = `127.0.0.1:${settings.GRPC_PORT}`;
    return new RunningRegistry(
      app,
      createClient(DefinitionServiceClient, { address }),
      createClient(RegistryServiceClient, { address }),
    );
  }

  call<Q, R>(method: Unary<Q, R>, request: Q, as: keyof typeof PEOPLE = 'otto'): Promise<R> {
    return unary(method, request, { timeoutMs: 30_000, metadata: authorization(`token-of-${as}`) });
  }

  async apply(definition: Definition): Promise<void> {
    const call = this.definitions.apply.bind(this.definitions);
    await this.call(call, { documentJson: JSON.stringify(definition), dryRun: false });
  }

  /** Publishes what another service would; answers the event's id. */
  async says<T>(
    definition: EventDefinition<T>,
    data: T,
    options: { id?: string; cause?: Cause } = {},
  ): Promise<string> {
    const id = options.id ?? randomUUID();
    this.sequence += 1;
    const producer = { shard: this.shard, sequence: this.sequence };
    const known = eventsByType.get(definition.type);
    if (!known) throw new Error(`${definition.type} is not in the catalogue`);
    const message = { definition: known, data, id, producer, cause: options.cause ?? null };
    await this.app.get<BulkPublisher>(BULK_PUBLISHER).publish([message]);
    return id;
  }

  /** Everything on a topic that stands there now, in the order of each partition. */
  async read(topic: string): Promise<LogEvent[]> {
    const log = this.app.get<LogReader>(LOG_READER);
    const ranges = new Map([...(await log.endOffsets(topic))].map(([partition, to]) => [partition, { from: 0, to }]));
    const found: LogEvent[] = [];
    await log.readRange(topic, ranges, (batch) => void found.push(...batch));
    return found;
  }

  async stop(): Promise<void> {
    this.definitions.close();
    this.registry.close();
    await this.app.close();
  }
}
