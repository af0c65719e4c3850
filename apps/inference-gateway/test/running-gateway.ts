// The whole gateway in this process, on the real Kafka, with a feature store that a spec can steer.
import { createHash } from 'node:crypto';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  credentials,
  Server,
  ServerCredentials,
  status,
  type sendUnaryData,
  type ServerUnaryCall,
} from '@grpc/grpc-js';
import { ArtifactStore } from '@headrace/artifacts';
import { events, topicOf, type EventDefinition } from '@headrace/contracts';
import {
  GRPCInferenceServiceClient,
  type ModelReadyRequest,
  type ModelReadyResponse,
} from '@headrace/contracts/inference';
import {
  FeatureServiceService,
  FeatureStatus,
  type GetOnlineFeaturesRequest,
  type GetOnlineFeaturesResponse,
} from '@headrace/contracts/proto/features/v1/features_service';
import { InferenceClient } from '@headrace/contracts/proto/inference/v1/inference_service';
import type { DeploymentChanged } from '@headrace/contracts/proto/registry/v1/registry_events';
import { freePort } from '@headrace/embedded';
import { unary } from '@headrace/grpc';
import {
  BULK_PUBLISHER,
  LOG_READER,
  MessagingModule,
  type BulkPublisher,
  type LogReader,
  type ReceivedEvent,
} from '@headrace/messaging';
import { createLogger, createService, readConfig } from '@headrace/service-kit';
import { testKafkaBrokers } from '@headrace/testing';
import { Global, Module, type INestApplication, type INestApplicationContext } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { register } from 'prom-client';
import { CHILD_PROGRAMS, gatewayConfig, InferenceGatewayModule } from '../src';
import { compilePrograms, fixtures, type CompiledPrograms } from './compiled-programs';

@Module({})
class RootModule {}

@Global()
@Module({})
class ChildProgramsModule {}

/** Gives each feature the number of its place; `status` and `error` steer it. */
export class FakeFeatureStore {
  status = FeatureStatus.PRESENT;
  error: status | undefined;
  private readonly server = new Server();

  async start(): Promise<string> {
    this.server.addService(FeatureServiceService, {
      getOnlineFeatures: (
        { request }: ServerUnaryCall<GetOnlineFeaturesRequest, GetOnlineFeaturesResponse>,
        respond: sendUnaryData<GetOnlineFeaturesResponse>,
      ) => {
        if (this.error !== undefined) {
          respond({ code: this.error, details: 'steered by the spec' });
          return;
        }
        const rows = request.rows.map(({ asOfMicros }) => ({
          values: request.features.map((_, index) => index),
          statuses: request.features.map(() => this.status),
          asOfMicros,
          watermarkMicros: asOfMicros + 1,
        }));
        respond(null, { rows });
      },
      checkServingSkew: (_call: unknown, respond: sendUnaryData<unknown>) => respond({ code: status.UNIMPLEMENTED }),
    });
    const port = await new Promise<number>((resolve, reject) => {
      this.server.bindAsync('127.0.0.1:0', ServerCredentials.createInsecure(), (error, bound) =>
        error ? reject(error) : resolve(bound),
      );
    });
    return `127.0.0.1:${port}`;
  }

  stop(): void {
    this.server.forceShutdown();
  }
}

/** Opens what needs the role operator. */
export const OPERATOR_TOKEN = 'token-of-an-operator';

export class RunningGateway {
  /** What speaks HTTP/2 in gateways that are started from now on. */
  static server: 'standard' | 'fast' = 'standard';
  grpcAddress = '';
  restAddress = '';
  readonly features = new FakeFeatureStore();
  private folder = '';
  private store: ArtifactStore | undefined;
  private app: INestApplication | undefined;
  private outside: INestApplicationContext | undefined;
  private programs: CompiledPrograms | undefined;
  private inferenceClient: GRPCInferenceServiceClient | undefined;
  private predictClient: InferenceClient | undefined;
  private sequence = 0;
  private environment: Readonly<Record<string, string>> = {};

  /** `brokers`: a Kafka of the spec's own. */
  async start(brokers = testKafkaBrokers()): Promise<void> {
    this.folder = await mkdtemp(join(tmpdir(), 'gateway-'));
    this.store = new ArtifactStore(join(this.folder, 'artifacts'));
    this.programs = await compilePrograms();
    this.outside = await NestFactory.createApplicationContext(
      MessagingModule.forService({ service: 'registry', brokers }),
      { logger: false },
    );
    const port = await freePort();
    const restPort = await freePort(undefined, [port]);
    const tokens = join(this.folder, 'tokens.json');
    const sha256 = createHash('sha256').update(OPERATOR_TOKEN).digest('hex');
    await writeFile(tokens, JSON.stringify([{ sha256, subject: 'olga', roles: ['operator'] }]));
    this.environment = {
      KAFKA_BROKERS: brokers.join(','),
      HEADRACE_ARTIFACTS: join(this.folder, 'artifacts'),
      FEATURE_STORE_ADDRESS: await this.features.start(),
      GRPC_PORT: String(port),
      GATEWAY_REST_PORT: String(restPort),
      HEADRACE_TOKENS_FILE: tokens,
      GATEWAY_GRPC_SERVER: RunningGateway.server,
      GATEWAY_CACHE: join(this.folder, 'cache'),
      GATEWAY_LOG_PATIENCE_MS: '1000',
      LOG_LEVEL: 'error',
    };
    await this.startGateway();
    const address = `127.0.0.1:${port}`;
    this.grpcAddress = address;
    this.restAddress = `127.0.0.1:${restPort}`;
    this.inferenceClient = new GRPCInferenceServiceClient(address, credentials.createInsecure());
    this.predictClient = new InferenceClient(address, credentials.createInsecure());
  }

  /** The gateway alone, on the same ports: after stopGateway(). */
  async startGateway(): Promise<void> {
    // Another start is another process in life; here it would register its metrics a second time.
    register.clear();
    const settings = readConfig(gatewayConfig, this.environment);
    const programs = {
      module: ChildProgramsModule,
      providers: [{ provide: CHILD_PROGRAMS, useValue: this.programs?.folder }],
      exports: [CHILD_PROGRAMS],
    };
    const root = { module: RootModule, imports: [programs, InferenceGatewayModule] };
    const logger = createLogger('inference-gateway', settings.LOG_LEVEL);
    this.app = await createService(root, 'inference-gateway', settings, logger);
    await this.app.init();
  }

  get inference(): GRPCInferenceServiceClient {
    if (!this.inferenceClient) throw new Error('not started');
    return this.inferenceClient;
  }

  get predict(): InferenceClient {
    if (!this.predictClient) throw new Error('not started');
    return this.predictClient;
  }

  async isReady(name: string, version = ''): Promise<boolean> {
    const client = this.inference;
    const asked = { name, version };
    const { ready } = await unary<ModelReadyRequest, ModelReadyResponse>(client.modelReady.bind(client), asked, {
      timeoutMs: 10_000,
    });
    return ready;
  }

  /** A model file of the fixtures as an artifact. */
  async artifact(file: string): Promise<Awaited<ReturnType<ArtifactStore['putFile']>>> {
    if (!this.store) throw new Error('not started');
    return this.store.putFile(join(fixtures, file), file);
  }

  async put(content: string, name: string): Promise<Awaited<ReturnType<ArtifactStore['putBytes']>>> {
    if (!this.store) throw new Error('not started');
    return this.store.putBytes(Buffer.from(content), name);
  }

  /** As when the shared folder is not mounted. */
  async removeArtifacts(): Promise<void> {
    await rm(join(this.folder, 'artifacts'), { recursive: true, force: true });
  }

  /** As the registry would. Returns the event's id. */
  async deploy(data: DeploymentChanged): Promise<string> {
    const id = `${data.endpoint}/${data.generation}`;
    const message = {
      definition: events.DeploymentChanged,
      data,
      id,
      producer: { shard: `spec/${data.endpoint}`, sequence: (this.sequence += 1) },
      cause: { eventId: 'validated', correlationId: `loop/${data.endpoint}` },
    };
    await this.outsideGet<BulkPublisher>(BULK_PUBLISHER).publish([message]);
    return id;
  }

  /** Everything of one type that stands on its topic now. */
  async published<T>(definition: EventDefinition<T>): Promise<ReceivedEvent<T>[]> {
    const reader = this.outsideGet<LogReader>(LOG_READER);
    const topic = topicOf(definition.topic);
    const ends = await reader.endOffsets(topic);
    const found: ReceivedEvent<T>[] = [];
    await reader.readRange(
      topic,
      new Map([...ends].map(([partition, to]) => [partition, { from: 0, to }])),
      (batch) => {
        for (const event of batch) if (event.type === definition.type) found.push(event as ReceivedEvent<T>);
      },
    );
    return found;
  }

  /** As on SIGTERM. */
  async stopGateway(): Promise<void> {
    await this.app?.close();
    this.app = undefined;
  }

  async stop(): Promise<void> {
    this.inferenceClient?.close();
    this.predictClient?.close();
    await this.stopGateway();
    this.features.stop();
    await this.outside?.close();
    await this.programs?.remove();
    await rm(this.folder, { recursive: true, force: true });
  }

  private outsideGet<T>(token: symbol): T {
    if (!this.outside) throw new Error('not started');
    return this.outside.get<T>(token);
  }
}
