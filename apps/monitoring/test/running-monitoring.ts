// The whole service on the real Kafka and Postgres, and the world around it: what other services would publish.
import { createHash } from 'node:crypto';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ArtifactStore } from '@headrace/artifacts';
import { events, topics, type EventDefinition } from '@headrace/contracts';
import type { Artifact } from '@headrace/contracts/proto/common/v1/common';
import { DefinitionPhase } from '@headrace/contracts/proto/definitions/v1/definitions_events';
import { PredictionServed } from '@headrace/contracts/proto/inference/v1/inference_events';
import { VersionRole, type Rollout } from '@headrace/contracts/proto/registry/v1/registry_events';
import { DefinitionService } from '@headrace/definition-store';
import { doubleValue, kinds, versionOf, type Definition, type Fields, type Kind } from '@headrace/definitions';
import {
  BULK_PUBLISHER,
  KafkaEventServer,
  LOG_READER,
  type BroadcastSubscription,
  type BulkPublisher,
  type Cause,
  type LogEvent,
  type LogReader,
  type ReceivedEvent,
} from '@headrace/messaging';
import type { ModelChild } from '@headrace/scoring';
import {
  createLogger,
  createService,
  parseReplayArguments,
  readConfig,
  runReplay,
  type ReplayResult,
} from '@headrace/service-kit';
import { createTestDatabase, eventually, testKafkaBrokers, uniqueName, type TestDatabase } from '@headrace/testing';
import { Global, Module, type INestApplication } from '@nestjs/common';
import { DataSource } from 'typeorm';
import type { ServedPrediction } from '../src/domain/served-prediction';
import { readServedPrediction } from '../src/events-in/read-served-prediction';
import { MonitoringGrpc } from '../src/grpc-in/monitoring.service';
import { monitoringConfig } from '../src/monitoring.config';
import { MonitoringModule } from '../src/monitoring.module';
import { monitoringReplay } from '../src/monitoring.replay';
import { MODEL_CHILD } from '../src/use-cases/replay-version';
import { WatchedMonitors } from '../src/watched-monitors';
import { FEATURES, type Case } from './builders';

/** The model's process runs the sources, as the spec does. */
const modelOfSources: ModelChild = {
  script: join(__dirname, '../../../libs/scoring/src/model-child.ts'),
  execArgv: ['--require', join(__dirname, '../../../libs/testing/jest/run-sources.cjs')],
};

@Global()
@Module({ providers: [{ provide: MODEL_CHILD, useValue: modelOfSources }], exports: [MODEL_CHILD] })
class ProgramOfSourcesModule {}

@Module({})
class RootModule {}

/** A request that version 1 answered as champion. */
function prediction(overrides: Partial<PredictionServed>): PredictionServed {
  return {
    predictionId: 'p',
    endpoint: 'e',
    model: 'm',
    version: 1,
    assignment: 'champion',
    joinKey: 'k',
    asOfMicros: 100,
    servedAtMicros: 100,
    featureNames: [],
    featureValues: [],
    featureStatuses: [],
    watermarkMicros: 100,
    entities: {},
    request: {},
    output: 0.25,
    shadowScores: [],
    fallback: false,
    fallbackReason: '',
    guardrails: [],
    latencyMicros: 100,
    deploymentGeneration: 1,
    rolloutId: '',
    ...overrides,
  };
}

/** It as an event that the service has read from the log. */
export function served(overrides: Partial<PredictionServed>): ReceivedEvent<ServedPrediction> {
  const data = readServedPrediction(Buffer.from(PredictionServed.encode(prediction(overrides)).finish()));
  return {
    eventId: data.predictionId,
    correlationId: 'loop',
    type: events.PredictionServed.type,
    source: 'inference-gateway',
    subject: data.joinKey,
    timeMicros: 1_000,
    causationId: 'deployment',
    producer: { shard: 'boot', sequence: 1 },
    topic: topics.predictions.name,
    partition: 2,
    offset: 7,
    key: data.joinKey,
    data,
  };
}

/** What dana, a data scientist, and vera, a viewer, show. */
export const TOKENS = { dana: 'token-of-dana', vera: 'token-of-vera' } as const;

function tokens(): object[] {
  const roles = { dana: ['data-scientist'], vera: ['viewer'] };
  return (['dana', 'vera'] as const).map((subject) => {
    const sha256 = createHash('sha256').update(TOKENS[subject]).digest('hex');
    return { sha256, subject, roles: roles[subject] };
  });
}

function document<K extends Kind>(kind: K, name: string, spec: object): Definition {
  return kinds[kind].parse({ apiVersion: 'headrace.dev/v1', kind, metadata: { name }, spec });
}

/** A monitored endpoint of its own, on topics that all specs share. */
export class MonitoringSystem {
  readonly name = uniqueName('late');
  readonly stream = uniqueName('arrivals');
  readonly heard: LogEvent[] = [];
  /** Of the service's HTTP. */
  url = '';
  private app!: INestApplication;
  private database!: TestDatabase;
  private folder!: string;
  private subscriptions: readonly BroadcastSubscription[] = [];
  private sequence = 0;
  private generation = 0;
  private monitorGeneration = 1;

  async start(): Promise<void> {
    this.database = await createTestDatabase('monitoring');
    this.folder = await mkdtemp(join(tmpdir(), 'monitoring-'));
    await writeFile(join(this.folder, 'tokens.json'), JSON.stringify(tokens()));
    await this.startService();
  }

  async startService(): Promise<void> {
    const settings = readConfig(monitoringConfig, {
      KAFKA_BROKERS: testKafkaBrokers().join(','),
      DATABASE_URL: this.database.url,
      HEADRACE_ARTIFACTS: this.folder,
      HEADRACE_TOKENS_FILE: join(this.folder, 'tokens.json'),
    });
    const root = { module: RootModule, imports: [ProgramOfSourcesModule, MonitoringModule] };
    this.app = await createService(root, 'monitoring', settings, createLogger('monitoring', 'error'), {
      transports: [KafkaEventServer],
    });
    await this.app.listen(0, '127.0.0.1');
    this.url = await this.app.getUrl();
    await this.app.startAllMicroservices();
    this.heard.length = 0;
    const log = this.app.get<LogReader>(LOG_READER);
    this.subscriptions = await Promise.all(
      [topics.monitoring, topics.windows].map(({ name }) =>
        log.broadcast(name, (event) => void (this.isOurs(event) && this.heard.push(event))),
      ),
    );
    await Promise.all(this.subscriptions.map((subscription) => subscription.caughtUp));
  }

  /** Beside the running service. */
  replay(...args: string[]): Promise<ReplayResult> {
    const settings = readConfig(monitoringConfig, {
      KAFKA_BROKERS: testKafkaBrokers().join(','),
      DATABASE_URL: this.database.url,
      HEADRACE_ARTIFACTS: this.folder,
    });
    const logger = createLogger('monitoring', 'error');
    return runReplay(
      { service: 'monitoring', settings, logger, replayable: monitoringReplay, signal: new AbortController().signal },
      parseReplayArguments('monitoring', monitoringReplay, args),
      (replaySchema) =>
        createService(MonitoringModule, 'monitoring', settings, logger, {
          transports: [KafkaEventServer],
          replaySchema,
        }),
    );
  }

  async stopService(): Promise<void> {
    for (const subscription of this.subscriptions) await subscription.close();
    await this.app.close();
  }

  async stop(): Promise<void> {
    await this.stopService();
    await this.database.drop();
    await rm(this.folder, { recursive: true, force: true });
  }

  get grpc(): MonitoringGrpc {
    return this.app.get(MonitoringGrpc, { strict: false });
  }

  get definitions(): DefinitionService {
    return this.app.get(DefinitionService, { strict: false });
  }

  heardOf<T>(definition: EventDefinition<T>): (LogEvent & { data: T })[] {
    return this.heard.filter((event) => event.type === definition.type) as (LogEvent & { data: T })[];
  }

  /** DataStream, Model, Endpoint, TrainingPlan-free Monitor; resolves when the service watches it. */
  async define(monitor: object, analysis: object = {}, task = 'binary'): Promise<void> {
    const { name } = this;
    await this.publishDefinitions([...this.referred(analysis, task), this.monitor(monitor)]);
    // Specs of one run share the log, so those of others are there as well.
    const watched = this.app.get(WatchedMonitors, { strict: false });
    await eventually(() => expect(watched.all().map((one) => one.endpoint)).toContain(name));
  }

  /** The Monitor in another version; resolves when the service watches that. */
  async redefine(spec: object): Promise<void> {
    const changed = this.monitor(spec);
    this.monitorGeneration += 1;
    await this.publishDefinitions([changed], this.monitorGeneration);
    const watched = this.app.get(WatchedMonitors, { strict: false });
    await eventually(() => expect(watched.all().map((one) => one.version)).toContain(versionOf(changed)));
  }

  /** What the Monitor refers to. */
  referred(analysis: object, task: string): Definition[] {
    const { name, stream } = this;
    return [
      document('DataStream', stream, {
        source: { kafka: { topic: stream } },
        key: 'id',
        eventTime: 'at',
        fields: { id: { type: 'string' }, at: { type: 'timestamp' }, late: { type: 'double' } },
      }),
      document('Model', name, { task }),
      document('Endpoint', name, { model: name, joinKey: 'id', rollout: { analysis } }),
    ];
  }

  monitor(spec: object): Definition {
    const { name, stream } = this;
    return document('Monitor', name, { endpoint: name, label: { stream, expression: 'record.late' }, ...spec });
  }

  async deploy(
    versions: { champion: number; profile: Artifact; candidate?: number },
    rollout?: Partial<Rollout>,
  ): Promise<void> {
    this.generation += 1;
    const deployed = (version: number, role: VersionRole, weightPercent: number) => ({
      version,
      role,
      weightPercent,
      modelArtifact: undefined,
      profileArtifact: versions.profile,
      signature: undefined,
    });
    const { champion, candidate } = versions;
    await this.publish(events.DeploymentChanged, [
      {
        endpoint: this.name,
        generation: this.generation,
        model: this.name,
        versions: [
          deployed(champion, VersionRole.CHAMPION, candidate === undefined ? 100 : 80),
          ...(candidate === undefined ? [] : [deployed(candidate, VersionRole.CANARY, 20)]),
        ],
        rollout:
          candidate === undefined
            ? undefined
            : {
                rolloutId: '',
                candidateVersion: candidate,
                championVersion: champion,
                step: 0,
                paused: false,
                byWaiver: false,
                paired: true,
                strategy: 'canary',
                assignmentUnit: '',
                stepStartedAtMicros: 0,
                startedAtMicros: 1,
                ...rollout,
              },
        behaviour: undefined,
      },
    ]);
  }

  putModel(path: string): Promise<Artifact> {
    return new ArtifactStore(this.folder).putFile(path, 'model.onnx');
  }

  putProfile(json: string): Promise<Artifact> {
    return new ArtifactStore(this.folder).putBytes(Buffer.from(json), 'profile.json');
  }

  predictions(
    requests: readonly Case[],
    overrides: (one: Case) => Partial<PredictionServed> = () => ({}),
  ): Promise<void> {
    return this.publish(
      events.PredictionServed,
      requests.map((one) =>
        prediction({
          predictionId: `${this.name}-${one.predictionId}`,
          endpoint: this.name,
          model: this.name,
          joinKey: one.key,
          asOfMicros: one.asOfMicros,
          featureNames: [...FEATURES],
          featureValues: [...one.features],
          output: one.score,
          ...overrides(one),
        }),
      ),
      { idOf: (data) => data.predictionId },
    );
  }

  /** How many of the endpoint's predictions the service has taken. */
  async predictionsTaken(): Promise<number> {
    const sql = 'SELECT count(*)::int AS taken FROM predictions WHERE endpoint = $1';
    const [found]: { taken: number }[] = await this.app.get(DataSource, { strict: false }).query(sql, [this.name]);
    return found?.taken ?? 0;
  }

  labels(truths: readonly Case[], more: (one: Case) => Fields = () => ({})): Promise<void> {
    return this.publish(
      events.DataArrived,
      truths.map((one) => ({
        stream: this.stream,
        streamVersion: 'sha256:1',
        recordKey: one.key,
        eventTimeMicros: one.labelTimeMicros,
        knownTimeMicros: one.labelTimeMicros,
        fields: { late: doubleValue(one.label), ...more(one) },
        origin: { topic: this.stream, partition: 0, offset: 0 },
        warnings: [],
        upstreamId: one.predictionId,
      })),
    );
  }

  /** To every partition, behind the labels, as ingestion does. */
  async watermark(micros: number): Promise<void> {
    for (let partition = 0; partition < 4 * topics.data.partitions; partition += 1) {
      const marker = { stream: this.stream, watermarkMicros: micros };
      await this.publish(events.WatermarkAdvanced, [marker], {
        partition: partition % topics.data.partitions,
        key: `marker-${partition}`,
      });
    }
  }

  async publish<T>(
    definition: EventDefinition<T>,
    data: readonly T[],
    options: {
      readonly idOf?: (data: T) => string;
      readonly partition?: number;
      readonly key?: string;
      readonly cause?: Cause;
    } = {},
  ): Promise<void> {
    const { idOf, partition, key, cause = null } = options;
    await this.app.get<BulkPublisher>(BULK_PUBLISHER).publish(
      data.map((one) => {
        this.sequence += 1;
        return {
          definition: definition as EventDefinition<unknown>,
          data: one,
          id: idOf?.(one) ?? `${this.name}/${this.sequence}`,
          producer: { shard: this.name, sequence: this.sequence },
          cause,
          stream: this.stream,
          ...(partition === undefined ? {} : { partition }),
          ...(key === undefined ? {} : { key }),
        };
      }),
    );
  }

  /** As their owners do. */
  publishDefinitions(definitions: readonly Definition[], generation = 1): Promise<void> {
    return this.publish(
      events.DefinitionChanged,
      definitions.map((definition) => ({
        kind: definition.kind,
        name: definition.metadata.name,
        version: versionOf(definition),
        generation,
        documentJson: JSON.stringify(definition),
        phase: DefinitionPhase.READY,
        waitingFor: [],
        changedBy: 'spec',
      })),
    );
  }

  private isOurs(event: LogEvent): boolean {
    const data = event.data as { model?: string };
    return data.model === this.name;
  }
}
