import { randomUUID } from 'node:crypto';
import { performance } from 'node:perf_hooks';
import { nowMicros } from '@headrace/event-time';
import { BULK_PUBLISHER, LOG_READER, MessagingModule, type BulkPublisher, type LogReader } from '@headrace/messaging';
import { GrpcModule, LOGGER, Readiness, SETTINGS, type BaseSettings, type Logger } from '@headrace/service-kit';
import {
  Inject,
  Module,
  Optional,
  type BeforeApplicationShutdown,
  type OnApplicationBootstrap,
  type Provider,
} from '@nestjs/common';
import { PersonalData } from './domain/prediction-log';
import { DeploymentsListener } from './events-in/deployments.listener';
import { GatewayMetrics, type Protocol } from './gateway-metrics';
import { GatewayObserver } from './gateway-observer';
import { CallerThrottle } from './grpc-in/caller-throttle';
import { openInferenceService } from './grpc-in/open-inference.service';
import { predictService } from './grpc-in/predict.service';
import { FeatureFetcher } from './grpc-out/feature-fetcher';
import { FeatureStoreClient } from './grpc-out/feature-store.client';
import { RestModule, type RestBackend } from './http-in/rest.module';
import type { GatewaySettings } from './inference-gateway.config';
import { caches, DEPLOYMENT_CACHE, MODEL_FILES, models, type ModelFiles } from './model-providers';
import { Placement } from './models/placement';
import { Profiles } from './models/profiles';
import { Residency } from './models/residency';
import { VersionPool } from './models/version-pool';
import { OpenInferenceObserver, RequestStatistics } from './open-inference-observer';
import { tlsOf } from './tls';
import type { DeploymentCache } from './serving/deployment-cache';
import { ServingTable } from './serving/serving-table';
import { AnswerPrediction } from './use-cases/answer-prediction';
import { DescribeModels } from './use-cases/describe-models';
import { FollowDeployments } from './use-cases/follow-deployments';
import { InferTensors } from './use-cases/infer-tensors';

const OPEN_INFERENCE_GRPC = Symbol('OPEN_INFERENCE_GRPC');
const PREDICT_GRPC = Symbol('PREDICT_GRPC');
const OPEN_INFERENCE_REST = Symbol('OPEN_INFERENCE_REST');
const TENSOR_OBSERVERS = Symbol('TENSOR_OBSERVERS');

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
        onFault: (error, notTold) =>
          logger.error({ err: error, notTold }, 'the feature store answered with an unexpected error'),
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
    inject: [VersionPool, ServingTable, GatewayObserver, MODEL_FILES, { token: DEPLOYMENT_CACHE, optional: true }],
    useFactory: (
      pool: VersionPool,
      table: ServingTable,
      observer: GatewayObserver,
      files: ModelFiles,
      cache?: DeploymentCache,
    ) =>
      new FollowDeployments(pool, table, observer, cache ?? { keep: () => undefined }, nowMicros, new Profiles(files)),
  },
  {
    provide: PersonalData,
    inject: [SETTINGS],
    useFactory: (settings: GatewaySettings) => new PersonalData(settings.GATEWAY_PSEUDONYM_KEY),
  },
  {
    provide: AnswerPrediction,
    inject: [ServingTable, FeatureFetcher, GatewayObserver, PersonalData],
    useFactory: (table: ServingTable, features: FeatureFetcher, observer: GatewayObserver, personal: PersonalData) =>
      new AnswerPrediction(table, features, observer, personal, nowMicros),
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
    inject: [GatewayMetrics, RequestStatistics, GatewayObserver, LOGGER],
    useFactory: (metrics: GatewayMetrics, statistics: RequestStatistics, events: GatewayObserver, log: Logger) => {
      const observer = (protocol: Protocol): OpenInferenceObserver =>
        new OpenInferenceObserver({ protocol, metrics, statistics, events, log, nowMs: Date.now });
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
    inject: [
      LOG_READER,
      FollowDeployments,
      ServingTable,
      PersonalData,
      { token: DEPLOYMENT_CACHE, optional: true },
      LOGGER,
    ],
    useFactory: (
      reader: LogReader,
      follow: FollowDeployments,
      table: ServingTable,
      personal: PersonalData,
      cache: DeploymentCache | undefined,
      logger: Logger,
    ) => new DeploymentsListener(reader, follow, table, personal, cache, logger),
  },
];

const grpcIn: Provider[] = [
  {
    provide: CallerThrottle,
    inject: [GatewayMetrics],
    useFactory: (metrics: GatewayMetrics) => {
      let before = performance.eventLoopUtilization();
      return new CallerThrottle({
        utilization: () => {
          const now = performance.eventLoopUtilization();
          const { utilization } = performance.eventLoopUtilization(now, before);
          before = now;
          return utilization;
        },
        onRefused: (protocol) => metrics.callerThrottled(protocol),
      });
    },
  },
  {
    provide: OPEN_INFERENCE_GRPC,
    inject: [InferTensors, DescribeModels, TENSOR_OBSERVERS, SETTINGS, CallerThrottle],
    useFactory: (
      inferTensors: InferTensors,
      describe: DescribeModels,
      observers: TensorObservers,
      settings: GatewaySettings,
      throttle: CallerThrottle,
    ) => openInferenceService({ inferTensors, describe, observers, access: settings.GATEWAY_ACCESS, throttle }),
  },
  {
    provide: PREDICT_GRPC,
    inject: [AnswerPrediction, ServingTable, GatewayMetrics, SETTINGS, CallerThrottle],
    useFactory: (
      answer: AnswerPrediction,
      table: ServingTable,
      metrics: GatewayMetrics,
      settings: GatewaySettings,
      throttle: CallerThrottle,
    ) => predictService(answer, table, metrics, settings.GATEWAY_ACCESS, throttle),
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
    ...caches,
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
  private patience: NodeJS.Timeout | undefined;

  constructor(
    private readonly listener: DeploymentsListener,
    private readonly followDeployments: FollowDeployments,
    private readonly table: ServingTable,
    private readonly observer: GatewayObserver,
    private readonly features: FeatureStoreClient,
    private readonly metrics: GatewayMetrics,
    private readonly placement: Placement,
    private readonly residency: Residency,
    private readonly readiness: Readiness,
    @Inject(SETTINGS) private readonly settings: GatewaySettings,
    @Inject(LOGGER) private readonly logger: Logger,
    @Optional() @Inject(DEPLOYMENT_CACHE) private readonly cache: DeploymentCache | undefined,
  ) {}

  onApplicationBootstrap(): void {
    this.readiness.register('deployments', () => this.table.notReadyReason());
    this.metrics.observeState({
      logBuffered: () => this.observer.buffered,
      residentBytes: () => this.residency.usedBytes,
      residentModels: () => this.residency.size,
      versions: () => this.servedVersions(),
    });
    // Not awaited: it serves what it knows as soon as it knows it, and waits for Kafka without holding up the start.
    void this.start();
  }

  private async start(): Promise<void> {
    const resumed = await this.listener.resume();
    if (resumed > 0) {
      this.logger.info({ endpoints: resumed }, 'serving what was served before, until the log is read');
      this.patience = setTimeout(() => this.table.markResumed(), this.settings.GATEWAY_LOG_PATIENCE_MS).unref();
    }
    await this.listener.start();
  }

  /** After the servers have closed (their modules come first), before messaging leaves Kafka. */
  async beforeApplicationShutdown(): Promise<void> {
    clearTimeout(this.patience);
    this.followDeployments.stop();
    await this.observer.close(SHUTDOWN_FLUSH_MS);
    await this.listener.stop();
    this.features.close();
    this.placement.closeAll();
    await this.cache?.close();
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
    GrpcModule.forServices([GatewayCoreModule], [OPEN_INFERENCE_GRPC, PREDICT_GRPC], (settings: GatewaySettings) => ({
      kind: settings.GATEWAY_GRPC_SERVER,
      tls: tlsOf(settings),
    })),
    RestModule.forBackend([GatewayCoreModule], OPEN_INFERENCE_REST),
  ],
})
export class InferenceGatewayModule {}
