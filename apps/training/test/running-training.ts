// The whole service on the real Kafka and Postgres, as main.ts runs it, with clients and a voice for the other services.
import { createHash, randomUUID } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { createServer, type AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DuckDBInstance } from '@duckdb/node-api';
import { ArtifactStore } from '@headrace/artifacts';
import { events, eventsByType, topics, type EventDefinition } from '@headrace/contracts';
import type { Artifact } from '@headrace/contracts/proto/common/v1/common';
import { DefinitionPhase } from '@headrace/contracts/proto/definitions/v1/definitions_events';
import { DefinitionServiceClient } from '@headrace/contracts/proto/definitions/v1/definitions_service';
import { TrainingServiceClient, type TrainingRun } from '@headrace/contracts/proto/training/v1/training_service';
import { canonicalJson, versionOf, type Definition } from '@headrace/definitions';
import { authorization, createClient, unary, type Role } from '@headrace/grpc';
import {
  BULK_PUBLISHER,
  KafkaEventServer,
  LOG_READER,
  type BulkPublisher,
  type LogEvent,
  type LogReader,
} from '@headrace/messaging';
import { createLogger, createService, readConfig } from '@headrace/service-kit';
import { createTestDatabase, testKafkaBrokers, type TestDatabase } from '@headrace/testing';
import type { INestApplication } from '@nestjs/common';
import { trainingConfig } from '../src/training.config';
import { TrainingModule } from '../src/training.module';
import { findTrainerPython, trainerDirectory } from './trainer.config';

const PEOPLE: Readonly<Record<string, Role>> = { dana: 'data-scientist', vera: 'viewer' };

async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  return port;
}

/** Database and folders that outlive a restart. */
export class TrainingSite {
  readonly artifacts: ArtifactStore;

  private constructor(
    readonly database: TestDatabase,
    readonly folder: string,
  ) {
    this.artifacts = new ArtifactStore(join(folder, 'artifacts'));
  }

  static async create(): Promise<TrainingSite> {
    const folder = await mkdtemp(join(tmpdir(), 'headrace-training-'));
    const site = new TrainingSite(await createTestDatabase('training'), folder);
    const tokens = Object.entries(PEOPLE).map(([subject, role]) => {
      return { sha256: createHash('sha256').update(`token-of-${subject}`).digest('hex'), subject, roles: [role] };
    });
    writeFileSync(site.tokensFile, JSON.stringify(tokens));
    return site;
  }

  get tokensFile(): string {
    return join(this.folder, 'tokens.json');
  }

  get workDirectory(): string {
    return join(this.folder, 'work');
  }

  /** A training set as the feature store writes it; late flights are those with much delay before, with some noise. */
  async trainingSet(rows: number, delay = 'sin(i) * 20 + cos(i * 7) * 10'): Promise<Artifact> {
    const path = join(this.folder, `${randomUUID()}.parquet`);
    const instance = await DuckDBInstance.create(':memory:');
    const connection = await instance.connect();
    await connection.run(`
      COPY (
        SELECT 'flight-' || i AS row_id, 978307200000000 + i * 60000000 AS event_time,
          CAST(sin(i) * 20 + cos(i * 3) * 5 > 8 AS DOUBLE) AS label,
          CAST(100 + (i * 37) % 900 AS DOUBLE) AS distance, CAST(${delay} AS DOUBLE) AS delay_3h
        FROM range(${rows}) t(i)
      ) TO '${path}' (FORMAT parquet)`);
    connection.closeSync();
    return this.artifacts.putFile(path, 'training.parquet');
  }

  async remove(): Promise<void> {
    await this.database.drop();
    await rm(this.folder, { recursive: true, force: true });
  }
}

type Unary<Q, R> = Parameters<typeof unary<Q, R>>[0];

export class RunningTraining {
  private sequence = 0;
  private readonly shard = randomUUID();

  private constructor(
    readonly app: INestApplication,
    readonly definitions: DefinitionServiceClient,
    readonly training: TrainingServiceClient,
  ) {}

  static async start(site: TrainingSite): Promise<RunningTraining> {
    const settings = readConfig(trainingConfig, {
      KAFKA_BROKERS: testKafkaBrokers().join(','),
      DATABASE_URL: site.database.url,
      GRPC_PORT: String(await freePort()),
      HEADRACE_ARTIFACTS: join(site.folder, 'artifacts'),
      HEADRACE_TOKENS_FILE: site.tokensFile,
      TRAINER_PYTHON: findTrainerPython() ?? 'python-that-is-not-there',
      TRAINER_DIRECTORY: trainerDirectory,
      TRAINING_WORK_DIRECTORY: site.workDirectory,
      LOG_LEVEL: 'error',
    });
    const logger = createLogger('training', settings.LOG_LEVEL);
    const app = await createService(TrainingModule, 'training', settings, logger, { transports: [KafkaEventServer] });
    await app.init();
    await app.startAllMicroservices();
    const address = `127.0.0.1:${settings.GRPC_PORT}`;
    return new RunningTraining(
      app,
      createClient(DefinitionServiceClient, { address }),
      createClient(TrainingServiceClient, { address }),
    );
  }

  call<Q, R>(method: Unary<Q, R>, request: Q, as: keyof typeof PEOPLE = 'dana'): Promise<R> {
    return unary(method, request, { timeoutMs: 30_000, metadata: authorization(`token-of-${as}`) });
  }

  async apply(definition: Definition): Promise<void> {
    const call = this.definitions.apply.bind(this.definitions);
    await this.call(call, { documentJson: JSON.stringify(definition), dryRun: false });
  }

  /** Publishes what another service would; answers the event's id. */
  async says<T>(definition: EventDefinition<T>, data: T): Promise<string> {
    const id = randomUUID();
    this.sequence += 1;
    const producer = { shard: this.shard, sequence: this.sequence };
    const known = eventsByType.get(definition.type);
    if (!known) throw new Error(`${definition.type} is not in the catalogue`);
    await this.app.get<BulkPublisher>(BULK_PUBLISHER).publish([{ definition: known, data, id, producer, cause: null }]);
    return id;
  }

  /** A definition of another service. */
  async defined(definition: Definition): Promise<void> {
    await this.says(events.DefinitionChanged, {
      kind: definition.kind,
      name: definition.metadata.name,
      version: versionOf(definition),
      generation: 1,
      documentJson: canonicalJson(definition),
      phase: DefinitionPhase.READY,
      waitingFor: [],
      changedBy: 'spec',
    });
  }

  /** Events of a type about a plan that stand on the log now. */
  async published<T>(definition: EventDefinition<T>, plan: string): Promise<(LogEvent & { data: T })[]> {
    const log = this.app.get<LogReader>(LOG_READER);
    const topic = topics.training.name;
    const ranges = new Map([...(await log.endOffsets(topic))].map(([partition, to]) => [partition, { from: 0, to }]));
    const found: LogEvent[] = [];
    await log.readRange(topic, ranges, (batch) => void found.push(...batch));
    return found.filter((event) => event.type === definition.type && event.key === plan) as (LogEvent & { data: T })[];
  }

  async runs(plan: string): Promise<TrainingRun[]> {
    return (await this.call(this.training.listRuns.bind(this.training), { plan })).runs;
  }

  async stop(): Promise<void> {
    this.definitions.close();
    this.training.close();
    await this.app.close();
  }
}
