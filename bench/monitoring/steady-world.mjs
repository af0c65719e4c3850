// What stands around the monitoring service in its benchmark: a real Kafka and a real Postgres on one core, the service on the
// other, and on the log all that other services would have said.
import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { chmod, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import 'reflect-metadata';
import artifacts from '@headrace/artifacts';
import contracts from '@headrace/contracts';
import definitions from '@headrace/definitions';
import embedded from '@headrace/embedded';
import messaging from '@headrace/messaging';
import statistics from '@headrace/statistics';
import { NestFactory } from '@nestjs/core';
import pg from 'pg';
import { LOAD_CORE, repository, SERVER_CORE, startNode, untilOk } from '../gateway/processes.mjs';

const NAME = 'bench';
const STREAM = 'truths';
/** As the local system and the images start it. */
const NODE_FLAGS = ['--enable-source-maps', '--max-semi-space-size=32'];
/** 2026-01-01T00:00:00Z: start of the first window. */
const BEGIN = 1_767_225_600_000_000;
const BATCH = 1_000;

export class SteadyWorld {
  static async start(features) {
    const world = new SteadyWorld();
    world.names = Array.from({ length: features }, (_, k) => `feature_${k}`);
    world.directory = await mkdtemp(join(tmpdir(), 'headrace-bench-'));
    await chmod(world.directory, 0o755); // Postgres runs as a user of its own
    world.kafka = await embedded.startKafka({ dataDirectory: join(world.directory, 'kafka') });
    world.postgres = await embedded.startPostgres({ dataDirectory: join(world.directory, 'postgres') });
    // The service is pinned where the system can; what stands around it then has the other core.
    for (const pid of [world.kafka.pid, world.postgres.pid, process.pid]) {
      spawnSync('taskset', ['-a', '-p', '-c', String(LOAD_CORE), String(pid)]);
    }
    world.store = new artifacts.ArtifactStore(join(world.directory, 'artifacts'));
    world.voice = await NestFactory.createApplicationContext(
      messaging.MessagingModule.forService({ service: 'inference-gateway', brokers: [world.kafka.brokers] }),
      { logger: false },
    );
    world.sequence = 0;
    return world;
  }

  async stop() {
    await this.database?.end();
    await this.voice?.close();
    await this.postgres?.stop();
    await this.kafka?.stop();
    if (this.directory) await rm(this.directory, { recursive: true, force: true });
  }

  publish(definition, all, of = () => ({})) {
    return this.voice.get(messaging.BULK_PUBLISHER).publish(
      all.map((data) => {
        this.sequence += 1;
        const sequence = this.sequence;
        const id = `${NAME}/${sequence}`;
        return { definition, data, id, producer: { shard: NAME, sequence }, cause: null, stream: STREAM, ...of(data) };
      }),
    );
  }

  /**
   * A monitor of windows of an hour over an endpoint whose champion has a reference profile of these features; with `together`
   * also a test of all of them together.
   */
  async define(together) {
    const singles = this.names.map((subject) => ({ subject, statistic: 'psi', threshold: 0.25 }));
    const ofAll = together ? [{ subject: 'features', statistic: 'reconstruction_error' }] : [];
    const document = (kind, name, spec) =>
      definitions.kinds[kind].parse({ apiVersion: 'headrace.dev/v1', kind, metadata: { name }, spec });
    const fields = { id: { type: 'string' }, at: { type: 'timestamp' }, late: { type: 'double' } };
    const stream = { source: { kafka: { topic: STREAM } }, key: 'id', eventTime: 'at', fields };
    const all = [
      document('DataStream', STREAM, stream),
      document('Model', NAME, { task: 'binary' }),
      document('Endpoint', NAME, { model: NAME, joinKey: 'id' }),
      document('Monitor', NAME, {
        endpoint: NAME,
        label: { stream: STREAM, expression: 'record.late' },
        window: '1h',
        drift: { tests: [...singles, ...ofAll] },
      }),
    ];
    const { DefinitionChanged, DeploymentChanged, WatermarkAdvanced } = contracts.events;
    await this.publish(
      DefinitionChanged,
      all.map((definition) => ({
        kind: definition.kind,
        name: definition.metadata.name,
        version: definitions.versionOf(definition),
        generation: 1,
        documentJson: JSON.stringify(definition),
        phase: 2,
        waitingFor: [],
        changedBy: NAME,
      })),
    );
    const profileArtifact = await this.store.putBytes(Buffer.from(profileOf(this.names)), 'profile.json');
    const champion = { version: 1, role: 1, weightPercent: 100, profileArtifact };
    const deployment = { endpoint: NAME, generation: 1, model: NAME, versions: [champion] };
    await this.publish(DeploymentChanged, [DeploymentChanged.codec.fromPartial(deployment)]);
    const later = BEGIN + 1_000 * 3_600_000_000;
    const partitions = Array.from({ length: contracts.topics.data.partitions }, (_, partition) => partition);
    for (const partition of partitions) {
      await this.publish(WatermarkAdvanced, [{ stream: STREAM, watermarkMicros: later }], () => ({ partition }));
    }
  }

  /** So many predictions, `perWindow` in each hour of event time, on the log before anybody reads it. */
  async fill(count, perWindow) {
    const step = 3_600_000_000 / perWindow;
    const random = uniform(11);
    const { PredictionServed } = contracts.events;
    for (let from = 0; from < count; from += BATCH) {
      const rows = Array.from({ length: Math.min(BATCH, count - from) }, (_, row) => {
        const index = from + row;
        return PredictionServed.codec.fromPartial({
          predictionId: `${NAME}-${index}`,
          endpoint: NAME,
          model: NAME,
          version: 1,
          assignment: 'champion',
          joinKey: `key-${index}`,
          asOfMicros: BEGIN + Math.floor(index * step),
          servedAtMicros: BEGIN + Math.floor(index * step),
          featureNames: this.names,
          featureValues: this.names.map((_name, k) => normal(random) * (k + 1)),
          featureStatuses: this.names.map(() => 1),
          entities: { customer: `c${index % 5_000}` },
          output: random(),
          latencyMicros: 900,
          deploymentGeneration: 1,
        });
      });
      await this.publish(PredictionServed, rows, (data) => ({ id: data.predictionId }));
    }
  }

  /** The service on its own core, with a profile of its processor time when `profiles` names a folder. */
  async startMonitoring(profiles) {
    const tokens = [{ sha256: createHash('sha256').update('token').digest('hex'), subject: NAME, roles: ['operator'] }];
    await writeFile(join(this.directory, 'tokens.json'), JSON.stringify(tokens), { mode: 0o600 });
    const [httpPort, grpcPort] = [await embedded.freePort(undefined, []), await embedded.freePort(undefined, [])];
    const profile = profiles === undefined ? [] : ['--cpu-prof', `--cpu-prof-dir=${profiles}`];
    const program = join(repository, 'apps', 'monitoring', 'dist', 'main.js');
    const child = startNode(SERVER_CORE, [...NODE_FLAGS, ...profile, program], {
      NODE_ENV: 'production',
      KAFKA_BROKERS: this.kafka.brokers,
      DATABASE_URL: this.postgres.url,
      HEADRACE_ARTIFACTS: join(this.directory, 'artifacts'),
      HEADRACE_TOKENS_FILE: join(this.directory, 'tokens.json'),
      HTTP_PORT: String(httpPort),
      GRPC_PORT: String(grpcPort),
      HEADRACE_PARENT_WATCH: '1',
      LOG_LEVEL: 'warn',
    });
    child.stdout.pipe(process.stderr);
    await untilOk(`http://127.0.0.1:${httpPort}/readyz`);
    this.database = new pg.Client({ connectionString: this.postgres.url });
    await this.database.connect();
    const [schema] = (
      await this.database.query(
        `SELECT table_schema AS name FROM information_schema.tables WHERE table_name = 'windows'`,
      )
    ).rows;
    await this.database.query(`SET search_path TO "${schema.name}"`);
    return child;
  }

  /** Predictions that were handled, and drift windows that were closed with how many of them. */
  async progress() {
    const { rows } = await this.database.query(
      `SELECT coalesce((SELECT sum(predictions) FROM endpoint_counters), 0)::float8 AS handled,
          coalesce((SELECT sum(predictions) FROM windows WHERE kind = 'drift'), 0)::float8 AS judged,
          (SELECT count(*) FROM windows WHERE kind = 'drift')::int AS windows`,
    );
    return rows[0];
  }
}

/** Normal values of each feature's scale; 1,000 of them kept, ten bins, as the trainer does. */
function profileOf(names) {
  const random = uniform(5);
  const described = (name, draw) => {
    const values = Array.from({ length: 20_000 }, draw).sort((a, b) => a - b);
    const mean = values.reduce((sum, value) => sum + value, 0) / values.length;
    const at = (share) => values[Math.round(share * (values.length - 1))];
    const edges = Array.from({ length: 11 }, (_, k) => at(k / 10));
    const counts = Array.from({ length: 10 }, (_, bin) => {
      const [low, high] = [edges[bin], edges[bin + 1]];
      return values.filter((value) => (bin === 0 || value >= low) && (bin === 9 || value < high)).length;
    });
    const std = Math.sqrt(values.reduce((sum, value) => sum + (value - mean) ** 2, 0) / values.length);
    return { name, mean, std, edges, counts, sample: values.filter((_value, index) => index % 20 === 10) };
  };
  const starts = Array.from({ length: 10 }, (_, hour) => hour * 3_600_000_000);
  const part = { length_micros: 3_600_000_000, starts, rows: starts.map(() => 2_000) };
  return JSON.stringify({
    contract: 'headrace.dev/profile/v1',
    windows: { training: part, validation: part },
    reconstruction: reconstructionOf(names, starts, random),
    task: 'binary',
    features: names.map((name, k) => described(name, () => normal(random) * (k + 1))),
    prediction: described('prediction', random),
    label: { mean: 0.5 },
    performance: { auc: { value: 0.7 }, brier: { value: 0.2 } },
  });
}

/** As the trainer writes it: 13 components of 20 features, and in each window the sum of the errors of 2,000 rows. */
function reconstructionOf(names, starts, random) {
  const draw = () => names.map((_name, k) => normal(random) * (k + 1));
  const fitted = statistics.fitReconstruction(Array.from({ length: 2_000 }, draw));
  const rows = new statistics.RowReconstruction(fitted);
  const window_errors = starts.map(() =>
    Array.from({ length: 2_000 }, () => rows.errorOf(draw())).reduce((sum, error) => sum + error, 0),
  );
  return { features: names, ...fitted, window_errors };
}

function normal(random) {
  return Math.sqrt(-2 * Math.log(1 - random())) * Math.cos(2 * Math.PI * random());
}

/** Numbers in [0, 1), the same for the same seed (mulberry32). */
function uniform(seed) {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 4_294_967_296;
  };
}
