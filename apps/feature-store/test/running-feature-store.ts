// The whole service on the real Kafka and Postgres, as main.ts runs it, with clients and a voice for the other services.
import { createHash, randomUUID } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { createServer, type AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ArtifactStore } from '@headrace/artifacts';
import { events, topicOf, topics, type EventDefinition } from '@headrace/contracts';
import { DefinitionPhase } from '@headrace/contracts/proto/definitions/v1/definitions_events';
import { DefinitionServiceClient } from '@headrace/contracts/proto/definitions/v1/definitions_service';
import {
  FeatureServiceClient,
  type FeatureRef,
  type FeatureRow,
  type FeatureVector,
} from '@headrace/contracts/proto/features/v1/features_service';
import type { DataArrived } from '@headrace/contracts/proto/ingestion/v1/ingestion_events';
import { canonicalJson, versionOf, type Definition } from '@headrace/definitions';
import { DefinitionReader } from '@headrace/definition-store';
import { authorization, createClient, unary, type Role } from '@headrace/grpc';
import {
  BULK_PUBLISHER,
  KafkaEventServer,
  LOG_READER,
  type BulkMessage,
  type BulkPublisher,
  type LogEvent,
  type LogReader,
} from '@headrace/messaging';
import type { ModelChild } from '@headrace/scoring';
import { createLogger, createService, readConfig, Readiness } from '@headrace/service-kit';
import { createTestDatabase, eventually, testKafkaBrokers, type TestDatabase } from '@headrace/testing';
import { Global, Module, type INestApplication } from '@nestjs/common';
import { featureStoreConfig } from '../src/feature-store.config';
import { FeatureStoreModule } from '../src/feature-store.module';
import { JOIN_PROGRAM, type JoinProgram } from '../src/history/join-thread';
import { MODEL_CHILD } from '../src/use-cases/score-dataset';
import type { DatasetRow } from './datasets';

const PEOPLE: Readonly<Record<string, Role>> = { gateway: 'service', dana: 'data-scientist' };

/** The thread runs the sources, as the spec does. */
const joinOfSources: JoinProgram = {
  script: join(__dirname, '../src/history/join-program.ts'),
  execArgv: ['--require', join(__dirname, '../../../libs/testing/jest/run-sources.cjs')],
};

export const modelOfSources: ModelChild = {
  script: join(__dirname, '../../../libs/scoring/src/model-child.ts'),
  execArgv: joinOfSources.execArgv,
};

@Global()
@Module({
  providers: [
    { provide: JOIN_PROGRAM, useValue: joinOfSources },
    { provide: MODEL_CHILD, useValue: modelOfSources },
  ],
  exports: [JOIN_PROGRAM, MODEL_CHILD],
})
class ProgramsOfSourcesModule {}

@Module({})
class RootModule {}

/** A record of a stream before it is on the log. */
export interface Arrival {
  readonly key: string;
  readonly eventTime: number;
  readonly knownTime: number;
  readonly fields: DataArrived['fields'];
}

async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  return port;
}

/** Database and folders that outlive a restart. */
export class FeatureStoreSite {
  readonly artifacts: ArtifactStore;

  private constructor(
    readonly database: TestDatabase,
    readonly folder: string,
  ) {
    this.artifacts = new ArtifactStore(join(folder, 'artifacts'));
  }

  static async create(): Promise<FeatureStoreSite> {
    const folder = await mkdtemp(join(tmpdir(), 'headrace-feature-store-'));
    const site = new FeatureStoreSite(await createTestDatabase('feature-store'), folder);
    const tokens = Object.entries(PEOPLE).map(([subject, role]) => {
      return { sha256: createHash('sha256').update(`token-of-${subject}`).digest('hex'), subject, roles: [role] };
    });
    writeFileSync(join(folder, 'tokens.json'), JSON.stringify(tokens));
    return site;
  }

  async remove(): Promise<void> {
    await this.database.drop();
    await rm(this.folder, { recursive: true, force: true });
  }
}

type Unary<Q, R> = Parameters<typeof unary<Q, R>>[0];

export class RunningFeatureStore {
  private constructor(
    readonly app: INestApplication,
    readonly definitions: DefinitionServiceClient,
    readonly features: FeatureServiceClient,
  ) {}

  static async start(
    site: FeatureStoreSite,
    environment: Readonly<Record<string, string>> = {},
  ): Promise<RunningFeatureStore> {
    const settings = readConfig(featureStoreConfig, {
      KAFKA_BROKERS: testKafkaBrokers().join(','),
      DATABASE_URL: site.database.url,
      GRPC_PORT: String(await freePort()),
      HEADRACE_ARTIFACTS: join(site.folder, 'artifacts'),
      HEADRACE_TOKENS_FILE: join(site.folder, 'tokens.json'),
      LOG_LEVEL: 'error',
      ...environment,
    });
    const logger = createLogger('feature-store', settings.LOG_LEVEL);
    const root = { module: RootModule, imports: [ProgramsOfSourcesModule, FeatureStoreModule] };
    const app = await createService(root, 'feature-store', settings, logger, {
      transports: [KafkaEventServer],
    });
    await app.init();
    await app.startAllMicroservices();
    await eventually(() => expect(app.get(Readiness).report().notReady).toEqual({}), { timeoutMs: 30_000 });
    const address = `127.0.0.1:${settings.GRPC_PORT}`;
    return new RunningFeatureStore(
      app,
      createClient(DefinitionServiceClient, { address }),
      createClient(FeatureServiceClient, { address }),
    );
  }

  get log(): LogReader {
    return this.app.get<LogReader>(LOG_READER);
  }

  call<Q, R>(method: Unary<Q, R>, request: Q, as: keyof typeof PEOPLE = 'gateway'): Promise<R> {
    return unary(method, request, { timeoutMs: 30_000, metadata: authorization(`token-of-${as}`) });
  }

  async apply(definition: Definition): Promise<void> {
    const call = this.definitions.apply.bind(this.definitions);
    await this.call(call, { documentJson: JSON.stringify(definition), dryRun: false }, 'dana');
    await this.known(definition);
  }

  async read(
    features: FeatureRef[],
    rows: readonly Partial<FeatureRow>[],
    maxWaitMs = 10_000,
  ): Promise<FeatureVector[]> {
    const full = rows.map((row) => ({ entities: {}, request: {}, asOfMicros: 0, ...row }));
    const request = { features, rows: full, maxWaitMicros: maxWaitMs * 1_000 };
    return (await this.call(this.features.getOnlineFeatures.bind(this.features), request)).rows;
  }

  /** Publishes accepted records as ingestion does. `first`: the origin's offset of the first one. */
  async arrived(stream: string, arrivals: readonly Arrival[], first = 0): Promise<void> {
    await this.publish(
      arrivals.map(({ key, eventTime, knownTime, fields }, index) => {
        const origin = { topic: `upstream.${stream}`, partition: 0, offset: first + index };
        const data: DataArrived = {
          stream,
          streamVersion: 'sha256:0',
          recordKey: key,
          eventTimeMicros: eventTime,
          knownTimeMicros: knownTime,
          fields,
          origin,
          warnings: [],
          upstreamId: `${stream}-${origin.offset}`,
        };
        const producer = { shard: `${origin.topic}/0`, sequence: origin.offset };
        const id = `${origin.topic}/0/${origin.offset}`;
        return { definition: erased(events.DataArrived), data, id, producer, cause: null, stream };
      }),
    );
  }

  /** Says in every partition that everything known by then stands before. */
  async complete(stream: string, watermarkMicros: number): Promise<void> {
    await this.publish(
      Array.from({ length: topics.data.partitions }, (_, partition) => ({
        definition: erased(events.WatermarkAdvanced),
        data: { stream, watermarkMicros },
        id: `watermark/${stream}/${partition}/${watermarkMicros}`,
        producer: { shard: `watermark/${stream}`, sequence: watermarkMicros },
        cause: null,
        stream,
        partition,
      })),
    );
  }

  /** What another service would say. */
  async says<T>(definition: EventDefinition<T>, ...all: T[]): Promise<string[]> {
    const shard = randomUUID();
    const messages = all.map((data, sequence) => {
      return { definition: erased(definition), data, id: randomUUID(), producer: { shard, sequence }, cause: null };
    });
    await this.publish(messages);
    return messages.map(({ id }) => id);
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
    await this.known(definition);
  }

  /** What was applied comes back by the log. */
  private async known(definition: Definition): Promise<void> {
    const { kind, metadata } = definition;
    const reader = this.app.get(DefinitionReader);
    await eventually(() => expect(reader.get(kind, metadata.name)?.version).toBe(versionOf(definition)));
  }

  /** Events of a type that stand on a topic now. */
  async published<T>(definition: EventDefinition<T>, stream?: string): Promise<(LogEvent & { data: T })[]> {
    const topic = topicOf(definition.topic, stream);
    const ends = await this.log.endOffsets(topic);
    const found: LogEvent[] = [];
    const ranges = new Map([...ends].map(([partition, to]) => [partition, { from: 0, to }]));
    await this.log.readRange(topic, ranges, (batch) => void found.push(...batch));
    return found.filter(({ type }) => type === definition.type) as (LogEvent & { data: T })[];
  }

  /** The accepted records of a stream as a dataset file holds them. */
  async recordsOf(stream: string): Promise<DatasetRow[]> {
    return (await this.published(events.DataArrived, stream)).map(({ data, partition, offset }) => ({
      key: data.recordKey,
      eventTime: data.eventTimeMicros,
      knownTime: data.knownTimeMicros,
      fields: data.fields,
      partition,
      offset,
    }));
  }

  async stop(): Promise<void> {
    this.definitions.close();
    this.features.close();
    await this.app.close();
  }

  private async publish(messages: readonly BulkMessage<unknown>[]): Promise<void> {
    await this.app.get<BulkPublisher>(BULK_PUBLISHER).publish(messages);
  }
}

function erased<T>(definition: EventDefinition<T>): EventDefinition<unknown> {
  return definition as unknown as EventDefinition<unknown>;
}
