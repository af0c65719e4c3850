import { randomUUID } from 'node:crypto';
import { join } from 'node:path';
import { ArtifactStore } from '@headrace/artifacts';
import { nowMicros } from '@headrace/event-time';
import { BULK_PUBLISHER, LOG_READER, MessagingModule, type BulkPublisher, type LogReader } from '@headrace/messaging';
import { GrpcModule, LOGGER, Readiness, SETTINGS, type BaseSettings, type Logger } from '@headrace/service-kit';
import { Module, type BeforeApplicationShutdown, type OnApplicationBootstrap, type Provider } from '@nestjs/common';
import { DeploymentsListener } from './events-in/deployments.listener';
import { GatewayMetrics, type Protocol } from './gateway-metrics';
import { GatewayObserver } from './gateway-observer';
import { openInferenceService } from './grpc-in/open-inference.service';
import { predictService } from './grpc-in/predict.service';
import { FeatureFetcher } from './grpc-out/feature-fetcher';
import { FeatureStoreClient } from './grpc-out/feature-store.client';
import { RestModule, type RestBackend } from './http-in/rest.module';
import type { GatewaySettings } from './inference-gateway.config';
import { ModelLoader } from './models/model-loader';
import { Placement } from './models/placement';
import { Profiles } from './models/profiles';
import { VersionPool } from './models/version-pool';
import { OpenInferenceObserver, RequestStatistics } from './open-inference-observer';
import { ServingTable } from './serving/serving-table';
import { AnswerPrediction } from './use-cases/answer-prediction';
import { DescribeModels } from './use-cases/describe-models';
import { FollowDeployments } from './use-cases/follow-deployments';
import { InferTensors } from './use-cases/infer-tensors';

/** Folder of the compiled programs of child processes, where it is not beside this file (specs). */
export const CHILD_PROGRAMS = Symbol('CHILD_PROGRAMS');
const BESIDE = join(__dirname, 'models');
const OPEN_INFERENCE_GRPC = Symbol('OPEN_INFERENCE_GRPC');
const PREDICT_GRPC = Symbol('PREDICT_GRPC');
const OPEN_INFERENCE_REST = Symbol('OPEN_INFERENCE_REST');
const TENSOR_OBSERVERS = Symbol('TENSOR_OBSERVERS');

const models: Provider[] = [
  {
    provide: Placement,
    inject: [SETTINGS, LOGGER, GatewayMetrics, { token: CHILD_PROGRAMS, optional: true }],
    useFactory: (settings: GatewaySettings, logger: Logger, metrics: GatewayMetrics, programs: string = BESIDE) =>
      new Placement({
        hostScript: join(programs, 'model-host.js'),
        sharedHosts: settings.GATEWAY_MODEL_PROCESSES,
        hereMicros: settings.GATEWAY_HERE_MS * 1_000,
        sharedMicros: settings.GATEWAY_RUN_MS * 1_000,
        maxRunRows: settings.GATEWAY_BATCH_ROWS,
        runTimeoutMs: settings.GATEWAY_HANG_MS,
        loadTimeoutMs: settings.GATEWAY_MODEL_TIMEOUT_MS,
        ownMemoryMiB: settings.GATEWAY_MODEL_MEMORY_MIB,
        onDeath: (place, held, death) => {
          metrics.modelProcessDied(place, death.code);
          logger.error({ place, models: held, ...death }, 'a process that runs models died and is started again');
        },
      }),
  },
  {
    provide: ModelLoader,
    inject: [ArtifactStore, Placement, SETTINGS, { token: CHILD_PROGRAMS, optional: true }],
    useFactory: (store: ArtifactStore, placement: Placement, settings: GatewaySettings, programs: string = BESIDE) =>
      new ModelLoader(store, placement, {
        childScript: join(programs, 'validation-child.js'),
        maxModelBytes: settings.GATEWAY_MODEL_MIB * 1_048_576,
        limits: {
          timeoutMs: settings.GATEWAY_MODEL_TIMEOUT_MS,
          memoryMiB: settings.GATEWAY_MODEL_MEMORY_MIB,
          rowMicros: settings.GATEWAY_MODEL_ROW_MS * 1_000,
        },
      }),
  },
  {
    provide: VersionPool,
    inject: [ModelLoader, SETTINGS, GatewayMetrics, LOGGER],
    useFactory: (loader: ModelLoader, settings: GatewaySettings, metrics: GatewayMetrics, logger: Logger) =>
      new VersionPool(loader, {
        batcher: (model, version, { runRows, rowMicros }) => ({
          maxBatchRows: runRows,
          maxQueuedRows: settings.GATEWAY_QUEUE_ROWS,
          targetDelayMs: settings.GATEWAY_QUEUE_TARGET_MS,
          rowMicros,
          onBatch: metrics.batch(model, version),
          onTurnedAway: metrics.turnedAway(model, version),
        }),
        onReleaseFault: (error) => logger.warn({ err: error }, 'releasing a model failed'),
      }),
  },
];

const eventsOut: Provider[] = [
  {
    provide: GatewayObserver,
    inject: [BULK_PUBLISHER, LOGGER, GatewayMetrics, SETTINGS],
    useFactory: (publisher: BulkPublisher, logger: Logger, metrics: GatewayMetrics, settings: GatewaySettings) =>
      new GatewayObserver({
        bootId: `gateway/${randomUUID()}`,
        publisher,
        logger,
        metrics,
        capacity: settings.GATEWAY_LOG_BUFFER,
        flushEveryMs: settings.GATEWAY_LOG_FLUSH_MS,
      }),
  },
];

const grpcOut: Provider[] = [
  {
    provide: FeatureStoreClient,
    inject: [SETTINGS, GatewayMetrics, LOGGER],
    useFactory: (settings: GatewaySettings, metrics: GatewayMetrics, logger: Logger) =>
      new FeatureStoreClient({
        address: settings.FEATURE_STORE_ADDRESS,
        token: settings.HEADRACE_TOKEN,
        onCircuit: (open) => {
          metrics.circuitOpen(open);
          logger.warn({ open }, 'circuit to the feature store');
        },
        onFault: (error) => logger.error({ err: error }, 'the feature store answered with an unexpected error'),
      }),
  },
  {
    provide: FeatureFetcher,
    inject: [FeatureStoreClient],
    useFactory: (client: FeatureStoreClient) => new FeatureFetcher(client),
  },
];

const useCases: Provider[] = [
  {
    provide: FollowDeployments,
    inject: [VersionPool, ServingTable, GatewayObserver, ArtifactStore],
    useFactory: (pool: VersionPool, table: ServingTable, observer: GatewayObserver, store: ArtifactStore) =>
      new FollowDeployments(pool, table, observer, nowMicros, new Profiles(store)),
  },
  {
    provide: AnswerPrediction,
    inject: [ServingTable, FeatureFetcher, GatewayObserver],
    useFactory: (table: ServingTable, features: FeatureFetcher, observer: GatewayObserver) =>
      new AnswerPrediction(table, features, observer, nowMicros),
  },
  {
    provide: InferTensors,
    inject: [ServingTable, SETTINGS],
    useFactory: (table: ServingTable, settings: GatewaySettings) =>
      new InferTensors(table, settings.GATEWAY_QUEUE_ROWS),
  },
  { provide: RequestStatistics, useFactory: () => new RequestStatistics() },
  {
    provide: DescribeModels,
    inject: [ServingTable, RequestStatistics, FollowDeployments, SETTINGS],
    useFactory: (
      table: ServingTable,
      statistics: RequestStatistics,
      follow: FollowDeployments,
      settings: GatewaySettings,
    ) =>
      new DescribeModels(table, statistics, {
        maxRows: settings.GATEWAY_QUEUE_ROWS,
        tryNow: (endpoint) => follow.tryNow(endpoint),
      }),
  },
  {
    provide: TENSOR_OBSERVERS,
    inject: [GatewayMetrics, RequestStatistics, LOGGER],
    useFactory: (metrics: GatewayMetrics, statistics: RequestStatistics, log: Logger) => {
      const observer = (protocol: Protocol): OpenInferenceObserver =>
        new OpenInferenceObserver({ protocol, metrics, statistics, log, nowMs: Date.now });
      return {
        unary: observer('open_inference'),
        stream: observer('open_inference_stream'),
        rest: observer('open_inference_rest'),
      };
    },
  },
];

type TensorObservers = Readonly<Record<'unary' | 'stream' | 'rest', OpenInferenceObserver>>;

const eventsIn: Provider[] = [
  {
    provide: DeploymentsListener,
    inject: [LOG_READER, FollowDeployments, ServingTable, LOGGER],
    useFactory: (reader: LogReader, follow: FollowDeployments, table: ServingTable, logger: Logger) =>
      new DeploymentsListener(reader, follow, table, logger),
  },
];

const grpcIn: Provider[] = [
  {
    provide: OPEN_INFERENCE_GRPC,
    inject: [InferTensors, DescribeModels, TENSOR_OBSERVERS, SETTINGS],
    useFactory: (
      inferTensors: InferTensors,
      describe: DescribeModels,
      observers: TensorObservers,
      settings: GatewaySettings,
    ) => openInferenceService({ inferTensors, describe, observers, access: settings.GATEWAY_ACCESS }),
  },
  {
    provide: PREDICT_GRPC,
    inject: [AnswerPrediction, ServingTable, GatewayMetrics, SETTINGS],
    useFactory: (answer: AnswerPrediction, table: ServingTable, metrics: GatewayMetrics, settings: GatewaySettings) =>
      predictService(answer, table, metrics, settings.GATEWAY_ACCESS),
  },
];

const httpIn: Provider[] = [
  {
    provide: OPEN_INFERENCE_REST,
    inject: [InferTensors, DescribeModels, TENSOR_OBSERVERS],
    useFactory: (inferTensors: InferTensors, describe: DescribeModels, observers: TensorObservers): RestBackend => ({
      inferTensors,
      describe,
      observer: observers.rest,
    }),
  },
];

@Module({
  providers: [
    ServingTable,
    { provide: GatewayMetrics, useFactory: () => new GatewayMetrics() },
    ...models,
    ...eventsOut,
    ...grpcOut,
    ...useCases,
    ...eventsIn,
    ...grpcIn,
    ...httpIn,
  ],
  exports: [OPEN_INFERENCE_GRPC, PREDICT_GRPC, OPEN_INFERENCE_REST],
})
class GatewayCoreModule implements OnApplicationBootstrap, BeforeApplicationShutdown {
  constructor(
    private readonly listener: DeploymentsListener,
    private readonly followDeployments: FollowDeployments,
    private readonly table: ServingTable,
    private readonly observer: GatewayObserver,
    private readonly features: FeatureStoreClient,
    private readonly metrics: GatewayMetrics,
    private readonly placement: Placement,
    private readonly readiness: Readiness,
  ) {}

  onApplicationBootstrap(): void {
    this.readiness.register('deployments', () => this.table.notReadyReason());
    this.metrics.observeState({ logBuffered: () => this.observer.buffered, versions: () => this.servedVersions() });
    // Not awaited: it serves what it knows as soon as it knows it, and waits for Kafka without holding up the start.
    void this.listener.start();
  }

  /** After the servers have closed (their modules come first), before messaging leaves Kafka. */
  async beforeApplicationShutdown(): Promise<void> {
    this.followDeployments.stop();
    await this.observer.close(SHUTDOWN_FLUSH_MS);
    await this.listener.stop();
    this.features.close();
    this.placement.closeAll();
  }

  private servedVersions(): ReturnType<Parameters<GatewayMetrics['observeState']>[0]['versions']> {
    return this.table.active().flatMap(({ deployment, versions }) =>
      versions.map(({ number, role, weight, loaded }) => ({
        endpoint: deployment.endpoint,
        version: String(number),
        role,
        weight,
        place: loaded.model.place,
        queuedRows: loaded.batcher.queuedRows,
        queueLimit: loaded.batcher.queueLimit,
      })),
    );
  }
}

const SHUTDOWN_FLUSH_MS = 5_000;

@Module({
  imports: [
    MessagingModule.forServiceAsync({
      inject: [SETTINGS, LOGGER],
      useFactory: (settings: BaseSettings, logger: Logger) => ({
        service: 'inference-gateway',
        brokers: settings.KAFKA_BROKERS.split(','),
        logger,
      }),
    }),
    GatewayCoreModule,
    GrpcModule.forServices(
      [GatewayCoreModule],
      [OPEN_INFERENCE_GRPC, PREDICT_GRPC],
      (settings: GatewaySettings) => settings.GATEWAY_GRPC_SERVER,
    ),
    RestModule.forBackend([GatewayCoreModule], OPEN_INFERENCE_REST),
  ],
})
export class InferenceGatewayModule {}
