// What stands behind the gateway in its benchmarks: a real Kafka, and for predictions by entity a real Postgres and the real
// feature store with records in three views.
import { createHash } from 'node:crypto';
import { chmod, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import 'reflect-metadata';
import artifacts from '@headrace/artifacts';
import contracts from '@headrace/contracts';
import definitionsService from '@headrace/contracts/proto/definitions/v1/definitions_service';
import featuresService from '@headrace/contracts/proto/features/v1/features_service';
import embedded from '@headrace/embedded';
import grpc from '@headrace/grpc';
import messaging from '@headrace/messaging';
import { NestFactory } from '@nestjs/core';
import { LOAD_CORE, logEntry, repository, SERVER_CORE, startNode, untilOk, waitForLine } from './processes.mjs';

/** Inputs of the fixture's model: 100 trees of 31 leaves. */
export const FEATURES = 11;
export const MODEL = join(repository, 'apps', 'inference-gateway', 'test', 'fixtures', 'flight-like.onnx');
export const VIEWS = ['first', 'second', 'third'];
export const AIRPORTS = Array.from({ length: 64 }, (_, index) => `A${String(index).padStart(2, '0')}`);
const STREAM = 'arrivals';
const AGGREGATES = ['count', 'sum', 'mean', 'min', 'max', 'stddev'];
const RECORDS = 6_400;
const TOKENS = { gateway: 'service', author: 'data-scientist' };

/** As the local system and the images start it. */
const NODE_FLAGS = ['--enable-source-maps', '--max-semi-space-size=32'];

const program = (service) => join(repository, 'apps', service, 'dist', 'main.js');

export class World {
  /** Kafka, an artifact store with the model, and a voice on the log. */
  static async start() {
    const directory = await mkdtemp(join(tmpdir(), 'headrace-bench-'));
    // Postgres runs as a user of its own.
    await chmod(directory, 0o755);
    const world = new World();
    world.directory = directory;
    const tokens = Object.entries(TOKENS).map(([subject, role]) => ({
      sha256: createHash('sha256').update(`token-of-${subject}`).digest('hex'),
      subject,
      roles: [role],
    }));
    await writeFile(join(directory, 'tokens.json'), JSON.stringify(tokens), { mode: 0o600 });
    world.kafka = await embedded.startKafka({ dataDirectory: join(directory, 'kafka') });
    world.store = new artifacts.ArtifactStore(join(directory, 'artifacts'));
    world.artifact = await world.store.putBytes(await readFile(MODEL), 'model.onnx');
    world.voice = await NestFactory.createApplicationContext(
      messaging.MessagingModule.forService({ service: 'registry', brokers: [world.kafka.brokers] }),
      { logger: false },
    );
    world.sequence = 0;
    world.ports = [];
    return world;
  }

  async stop() {
    await this.voice?.close();
    await this.postgres?.stop();
    await this.kafka?.stop();
    await rm(this.directory, { recursive: true, force: true });
  }

  async freePort() {
    const port = await embedded.freePort(undefined, this.ports);
    this.ports.push(port);
    return port;
  }

  publish(messages) {
    return this.voice.get(messaging.BULK_PUBLISHER).publish(messages);
  }

  /** An endpoint of one champion whose features come from so many views; 0: each is a field of the request. */
  async deploy(endpoint, { views = 0, logSampleRate = 1, generation = 1, versions } = {}) {
    this.sequence += 1;
    const champion = { version: 1, role: 1, weightPercent: 100, artifact: this.artifact };
    await this.publish([
      {
        definition: contracts.events.DeploymentChanged,
        id: `bench-deployment-${this.sequence}`,
        producer: { shard: 'bench', sequence: this.sequence },
        cause: null,
        data: {
          endpoint,
          generation,
          model: endpoint,
          versions: (versions ?? [champion]).map(({ version, role, weightPercent, artifact }) => ({
            version,
            role,
            weightPercent,
            modelArtifact: artifact,
            profileArtifact: undefined,
            signature: { task: 'binary', inputs: [], outputs: [], features: columns(views) },
          })),
          rollout: undefined,
          behaviour: {
            endpointVersion: '',
            labelJoinKey: '',
            fallback: undefined,
            featureTimeoutMicros: 2_000_000,
            logSampleRate,
            guardrails: undefined,
            personal: [],
          },
        },
      },
    ]);
  }

  /** @returns {Promise<{port: number, restPort: number, httpPort: number, pid: number}>} */
  async startGateway(kind, environment = {}) {
    const httpPort = await this.freePort();
    const restPort = await this.freePort();
    const child = startNode(SERVER_CORE, [...NODE_FLAGS, program('inference-gateway')], {
      NODE_ENV: 'production',
      KAFKA_BROKERS: this.kafka.brokers,
      HEADRACE_ARTIFACTS: join(this.directory, 'artifacts'),
      HEADRACE_TOKEN: 'token-of-gateway',
      FEATURE_STORE_ADDRESS: this.featureStoreAddress ?? '127.0.0.1:1',
      HTTP_PORT: String(httpPort),
      GATEWAY_REST_PORT: String(restPort),
      GATEWAY_GRPC_SERVER: kind,
      HEADRACE_PARENT_WATCH: '1',
      LOG_LEVEL: 'info',
      ...environment,
    });
    const port = await waitForLine(child, (line) => {
      const entry = logEntry(line);
      return entry.msg === 'gRPC listens' ? entry.port : undefined;
    });
    await untilOk(`http://127.0.0.1:${httpPort}/readyz`);
    return { port, restPort, httpPort, pid: child.pid, child };
  }

  /** Postgres and the feature store, on the load's core: what the gateway costs is measured. Full views of recent records. */
  async startFeatureStore() {
    this.postgres = await embedded.startPostgres({ dataDirectory: join(this.directory, 'postgres') });
    const [httpPort, grpcPort] = [await this.freePort(), await this.freePort()];
    startNode(LOAD_CORE, [program('feature-store')], {
      NODE_ENV: 'production',
      KAFKA_BROKERS: this.kafka.brokers,
      DATABASE_URL: this.postgres.url,
      HEADRACE_ARTIFACTS: join(this.directory, 'artifacts'),
      HEADRACE_TOKENS_FILE: join(this.directory, 'tokens.json'),
      HTTP_PORT: String(httpPort),
      GRPC_PORT: String(grpcPort),
      HEADRACE_PARENT_WATCH: '1',
      LOG_LEVEL: 'warn',
    }).stdout.resume();
    await untilOk(`http://127.0.0.1:${httpPort}/readyz`);
    this.featureStoreAddress = `127.0.0.1:${grpcPort}`;
    await this.applyViews();
    const now = Date.now() * 1_000;
    await this.arrive(now);
    await this.untilKnown();
  }

  async applyViews() {
    const client = grpc.createClient(definitionsService.DefinitionServiceClient, { address: this.featureStoreAddress });
    for (const name of VIEWS) {
      const definition = {
        apiVersion: 'headrace.dev/v1',
        kind: 'FeatureView',
        metadata: { name },
        spec: {
          source: STREAM,
          entity: { name: 'origin', key: 'record.origin' },
          features: ['3h', '24h'].flatMap((window) =>
            AGGREGATES.map((aggregate) => ({
              name: `${aggregate}_${window}`,
              function: aggregate,
              of: 'record.delay',
              window,
            })),
          ),
        },
      };
      await grpc.unary(
        client.apply.bind(client),
        { documentJson: JSON.stringify(definition), dryRun: false },
        { timeoutMs: 30_000, metadata: grpc.authorization('token-of-author') },
      );
    }
    client.close();
  }

  /** Records of the last two hours, and that nothing older will come. */
  async arrive(now) {
    const arrivals = Array.from({ length: RECORDS }, (_, index) => {
      const at = now - 7_200_000_000 + Math.floor((index * 7_000_000_000) / RECORDS);
      const origin = AIRPORTS[index % AIRPORTS.length];
      return {
        definition: contracts.events.DataArrived,
        id: `upstream.${STREAM}/0/${index}`,
        producer: { shard: `upstream.${STREAM}/0`, sequence: index },
        cause: null,
        stream: STREAM,
        data: {
          stream: STREAM,
          streamVersion: 'sha256:0',
          recordKey: origin,
          eventTimeMicros: at,
          knownTimeMicros: at,
          fields: {
            origin: { kind: { $case: 'stringValue', value: origin } },
            delay: { kind: { $case: 'doubleValue', value: (index * 7) % 60 } },
          },
          origin: { topic: `upstream.${STREAM}`, partition: 0, offset: index },
          warnings: [],
          upstreamId: `${STREAM}-${index}`,
        },
      };
    });
    await this.publish(arrivals);
    await this.publish(
      Array.from({ length: contracts.topics.data.partitions }, (_, partition) => ({
        definition: contracts.events.WatermarkAdvanced,
        data: { stream: STREAM, watermarkMicros: now },
        id: `watermark/${STREAM}/${partition}/${now}`,
        producer: { shard: `watermark/${STREAM}`, sequence: now },
        cause: null,
        stream: STREAM,
        partition,
      })),
    );
  }

  /** Until every view has a value for every key. */
  async untilKnown() {
    const client = grpc.createClient(featuresService.FeatureServiceClient, { address: this.featureStoreAddress });
    const request = {
      features: VIEWS.map((view) => ({ name: view, view, feature: 'mean_24h', requestExpression: '' })),
      rows: AIRPORTS.map((origin) => ({ entities: { origin }, request: {}, asOfMicros: 0 })),
      maxWaitMicros: 1_000_000,
    };
    for (let attempt = 0; ; attempt += 1) {
      const answer = await grpc
        .unary(client.getOnlineFeatures.bind(client), request, {
          timeoutMs: 5_000,
          metadata: grpc.authorization('token-of-gateway'),
        })
        .catch((error) => error);
      if (!(answer instanceof Error) && answer.rows.every(({ statuses }) => statuses.every((one) => one === 1))) break;
      if (attempt === 300)
        throw new Error(`the feature store has no values: ${answer.message ?? JSON.stringify(answer.rows[0])}`);
      await new Promise((done) => setTimeout(done, 200));
    }
    client.close();
  }
}

/** The model's inputs, spread evenly over the views. */
function columns(views) {
  return Array.from({ length: FEATURES }, (_, index) => {
    const name = `f${index}`;
    if (views === 0) return { name, view: 'view', feature: name, requestExpression: '', entity: 'origin' };
    const within = Math.floor(index / views);
    const feature = `${AGGREGATES[within % AGGREGATES.length]}_${within < AGGREGATES.length ? '3h' : '24h'}`;
    return { name, view: VIEWS[index % views], feature, requestExpression: '', entity: 'origin' };
  });
}
