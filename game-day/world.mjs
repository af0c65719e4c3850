// What the drills play on: a local system whose Kafka and Postgres can be stopped, an application that asks, a Prometheus
// with the real alerts.
import { execFile } from 'node:child_process';
import { mkdir, rm, writeFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { promisify } from 'node:util';
import kafkajs from 'kafkajs';
import pg from 'pg';
import { repository } from '../tools/child.mjs';
import { definitionsOf, HISTORY_DAYS, Traffic, untilServes } from '../tools/live/parcels.mjs';
import { startPrometheus } from '../tools/live/prometheus.mjs';
import { LiveSystem } from '../tools/live/system.mjs';
import { scaledRules } from './rules.mjs';

const require = createRequire(import.meta.url);
const { startKafka, startPostgres } = require('@headrace/embedded');
const { applyDefinitions } = require(join(repository, 'apps', 'cli', 'dist', 'commands', 'apply.js'));
const run = promisify(execFile);
const SCRAPE = '500ms';
const CLI_MS = 120_000;
/** Predictions that the gateway keeps while Kafka is away: few, so that the drill of a full buffer is short. */
const LOG_BUFFER = 2_000;
const ASKED_A_SECOND = 100;
/** The application asks as of a day ago, which is known everywhere by now. */
export const BEHIND_MS = 86_400_000;

const double = (value) => ({ kind: { $case: 'doubleValue', value } });

export class World {
  #stopping = [];
  /** Of the application: how far from what upstream has reached it asks. */
  aheadMs = -BEHIND_MS;
  answers = 0;
  /** Its application asks nothing: another one does. */
  rests = false;
  #asking = true;
  /** Definitions as they were last sent. */
  #applied = new Map();
  /** Of each model of the drills: the day that its traffic has reached. */
  days = {};

  static async start({ factor, say, signal }) {
    const world = new World();
    Object.assign(world, { factor, say, signal });
    try {
      await world.#open();
      return world;
    } catch (error) {
      await world.stop();
      throw error;
    }
  }

  async #open() {
    this.directory = join(repository, '.headrace', 'game-day-servers');
    await rm(this.directory, { recursive: true, force: true });
    await mkdir(this.directory, { recursive: true });
    const dependencies = [
      startKafka({ dataDirectory: join(this.directory, 'kafka') }),
      startPostgres({ dataDirectory: join(this.directory, 'postgres') }),
    ].map((starting) =>
      starting.then((server) => {
        this.#stopping.push(() => server.stop());
        return server;
      }),
    );
    await Promise.allSettled(dependencies);
    [this.kafka, this.postgres] = await Promise.all(dependencies);
    this.live = await LiveSystem.start({
      name: 'game-day',
      say: this.say,
      signal: this.signal,
      kafkaBrokers: this.kafka.brokers,
      databaseUrl: this.postgres.url,
      settings: { GATEWAY_LOG_BUFFER: String(LOG_BUFFER) },
    });
    this.#stopping.push(() => this.live.stop());
    this.prometheus = await this.#startPrometheus();
    this.#stopping.push(() => this.prometheus.stop());
    this.client = new kafkajs.Kafka({
      clientId: 'game-day',
      brokers: [this.kafka.brokers],
      logLevel: kafkajs.logLevel.NOTHING,
    });
  }

  async #startPrometheus() {
    const folder = join(this.directory, 'prometheus');
    await mkdir(folder);
    await writeFile(join(folder, 'rules.yml'), scaledRules(this.factor));
    return startPrometheus(folder, {
      global: { scrape_interval: SCRAPE, scrape_timeout: SCRAPE, evaluation_interval: SCRAPE },
      rule_files: [join(folder, 'rules.yml')],
      scrape_configs: Object.entries(this.live.addresses.services).map(([name, { http }]) => ({
        job_name: name,
        static_configs: [{ targets: [new URL(http).host] }],
      })),
    });
  }

  /** The example's model serves, upstream goes on and an application asks all the time. */
  async begin() {
    await this.apply('parcels');
    await untilServes(this.live, 'parcels', {}, this.say);
    this.traffic = new Traffic(this.live, { name: 'parcels', ask: false, 'from-day': HISTORY_DAYS, 'day-seconds': 20 });
    this.#stopping.push(() => this.traffic.stop());
    const asking = this.#ask();
    this.#stopping.push(async () => {
      this.#asking = false;
      await asking;
    });
    await this.live
      .until('the application gets answers', () => this.answers > 0)
      .catch((error) => Promise.reject(new Error(`${error.message}: ${this.lastRefusal}`)));
  }

  async #ask() {
    const { inference } = this.live.clients;
    const predict = inference.predict.bind(inference);
    for (let number = 0; this.#asking; number += 1) {
      await delay(1_000 / ASKED_A_SECOND);
      const { eventTime } = this.traffic.report;
      if (eventTime === 0 || this.rests) continue;
      const request = {
        endpoint: 'parcels',
        entities: { depot: 'dover' },
        request: {
          parcel: { kind: { $case: 'stringValue', value: `1-${number}` } },
          distance: double(20 + (number % 980)),
          weight: double(1 + (number % 19)),
          express: double(number % 5 === 0 ? 1 : 0),
        },
        asOfMicros: Math.round((eventTime + this.aheadMs) * 1_000),
        predictionId: '',
      };
      this.live.clients.call(predict, request, { timeoutMs: 4_000 }).then(
        () => (this.answers += 1),
        (error) => (this.lastRefusal = error.message), // counted by the gateway, which is what the alerts see
      );
    }
  }

  /** `npx headrace …` as a runbook says it. Resolves with what it printed. */
  headrace(...args) {
    return this.headraceAs('operator', ...args);
  }

  async headraceAs(role, ...args) {
    const { kafka, services, credentials } = this.live.addresses;
    const environment = { ...process.env, KAFKA_BROKERS: kafka, HEADRACE_TOKEN: credentials[role] };
    for (const [name, { grpc, http }] of Object.entries(services)) {
      const variable = `HEADRACE_${name.toUpperCase().replaceAll('-', '_')}`;
      environment[`${variable}_ADDRESS`] = grpc;
      environment[`${variable}_HTTP`] = http;
    }
    const cli = join(repository, 'apps', 'cli', 'bin', 'headrace.mjs');
    const { stdout } = await run(process.execPath, [cli, ...args], {
      env: environment,
      timeout: CLI_MS,
      cwd: repository,
      maxBuffer: 16 * 1_024 * 1_024,
    });
    return stdout;
  }

  /** `npx headrace apply -f … --wait`: of the example's definitions under a name, altered, those that are new or others than before. */
  async apply(name, change) {
    await this.live.apply(await this.#changed(name, change));
  }

  /** The same without --wait: a service may be away. */
  async applyOnly(name, change) {
    await applyDefinitions(this.live.clients, await this.#changed(name, change), false);
  }

  async #changed(name, change) {
    const definitions = await definitionsOf(this.live, name, change);
    return definitions.filter((definition) => {
      // The application of "parcels" asks about anything: its answers are nothing to judge a model by.
      if (name === 'parcels' && definition.kind === 'Monitor') return false;
      const key = `${definition.kind}/${definition.metadata.name}`;
      const text = JSON.stringify(definition);
      const isChanged = this.#applied.get(key) !== text;
      this.#applied.set(key, text);
      return isChanged;
    });
  }

  /** Does something twice a second; gives what ends that. */
  repeatedly(work) {
    let going = true;
    const done = (async () => {
      for (let round = 0; going; round += 1) {
        await work(round);
        await delay(500);
      }
    })();
    done.catch(() => undefined); // whoever ends it hears of it
    return () => {
      going = false;
      return done;
    };
  }

  /** A fault that lasts so long; ends early when the script is asked to end. */
  pause(milliseconds) {
    return delay(milliseconds, undefined, { signal: this.signal });
  }

  pid(service) {
    const pid = this.live.system.supervisor.pids().get(service);
    if (pid === undefined) throw new Error(`${service} does not run`);
    return pid;
  }

  /** Its event loop stands still, as it would in an endless computation. */
  freeze(service) {
    process.kill(this.pid(service), 'SIGSTOP');
  }

  thaw(service) {
    process.kill(this.pid(service), 'SIGCONT');
  }

  /** Ends it; the supervisor starts it again. */
  async restart(service) {
    const { supervisor } = this.live.system;
    supervisor.kill(service);
    await supervisor.ready(60_000, this.signal);
  }

  /** One statement on a connection of its own. */
  async sql(text, parameters = []) {
    const client = await this.connection();
    try {
      return (await client.query(text, parameters)).rows;
    } finally {
      await client.end();
    }
  }

  async connection() {
    const client = new pg.Client({ connectionString: this.postgres.url });
    client.on('error', () => undefined); // whoever holds it is told by the next query
    await client.connect();
    return client;
  }

  async send(topic, messages) {
    const producer = this.client.producer({ createPartitioner: kafkajs.Partitioners.DefaultPartitioner });
    await producer.connect();
    try {
      await producer.send({ topic, messages });
    } finally {
      await producer.disconnect();
    }
  }

  /** Labels of the firing alerts of a name. */
  async firing(name) {
    const { alerts } = await this.prometheus.get('alerts');
    return alerts
      .filter(({ labels, state }) => labels.alertname === name && state === 'firing')
      .map(({ labels }) => labels);
  }

  async stop() {
    for (const stop of this.#stopping.splice(0).reverse()) {
      try {
        await stop();
      } catch (error) {
        console.error(error.message);
      }
    }
  }
}
