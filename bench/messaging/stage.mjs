// What the benchmark runs on: a Kafka and a Postgres on one core, one consumer process at a time on the other.
import { fork, spawnSync } from 'node:child_process';
import { chmod, mkdir, mkdtemp, readFile, readdir, rm } from 'node:fs/promises';
import { cpus, tmpdir, totalmem } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import embedded from '@headrace/embedded';
import messaging from '@headrace/messaging';
import { Kafka, logLevel } from 'kafkajs';
import pg from 'pg';
import { DataSource } from 'typeorm';
import { Publisher } from '../../chaos/publisher.mjs';
import { KEYS, NEXT_TOPIC, STREAM, TABLES, TOPIC } from './setup.mjs';

const CLOCK_TICK_MICROS = 10_000;
/** With what a service is run, in containers too; the same for every contender. */
const NODE_FLAGS = ['--enable-source-maps', '--max-semi-space-size=32'];

export class Stage {
  canPin = cpus().length > 1 && spawnSync('taskset', ['-c', '0', 'true']).status === 0;
  interrupted = false;
  children = new Set();
  databases = 0;

  /** `profiles`: folder for the consumer's processor profiles; undefined: none. */
  constructor(profiles) {
    this.profiles = profiles;
  }

  get machine() {
    const where = this.canPin
      ? 'consumer on core 0; Kafka, Postgres and this script on core 1'
      : 'not pinned: taskset or a second core is missing';
    const memory = Math.round(totalmem() / 2 ** 30);
    return `${cpus().length} × ${cpus()[0]?.model ?? 'unknown processor'}, ${memory} GiB, Node ${process.version}; ${where}`;
  }

  async start() {
    this.folder = await mkdtemp(join(tmpdir(), 'headrace-bench-'));
    await chmod(this.folder, 0o711); // Postgres runs as a user of its own
    this.kafka = await embedded.startKafka({ dataDirectory: join(this.folder, 'kafka') });
    this.postgres = await embedded.startPostgres({ dataDirectory: join(this.folder, 'postgres') });
    for (const { pid } of [this.kafka, this.postgres]) this.pin(pid, 1);
    this.pin(process.pid, 1);
    this.client = new Kafka({ brokers: [this.kafka.brokers], logLevel: logLevel.NOTHING });
    await messaging.ensureTopics([this.kafka.brokers], [TOPIC, NEXT_TOPIC]);
    this.publisher = new Publisher(this.client, TOPIC, STREAM);
    if (this.profiles) await mkdir(this.profiles, { recursive: true });
  }

  async stop() {
    for (const child of this.children) child.kill('SIGKILL');
    await this.publisher?.close();
    await this.kafka?.stop();
    await this.postgres?.stop();
    if (this.folder) await rm(this.folder, { recursive: true, force: true });
  }

  /** Pins a process with all its threads to a core. */
  pin(pid, core) {
    if (this.canPin) spawnSync('taskset', ['-a', '-p', '-c', String(core), String(pid)]);
  }

  /** A consumer process with a database and a group of its own; `plan` has what is to differ from the defaults. */
  async begin(contender, plan = {}) {
    const databaseUrl = await this.freshDatabase();
    const path = fileURLToPath(new URL(`./${contender}.mjs`, import.meta.url));
    const group = `bench-${this.databases}`;
    const profile = this.profiles ? ['--cpu-prof', `--cpu-prof-dir=${join(this.profiles, contender)}`] : [];
    const execArgv = [...NODE_FLAGS, ...profile];
    const child = fork(path, [JSON.stringify({ brokers: this.kafka.brokers, databaseUrl, group, ...plan })], {
      execArgv,
    });
    this.pin(child.pid, 0);
    this.children.add(child);
    const progress = { handled: 0 };
    child.on('message', (message) => Object.assign(progress, message));
    const ended = new Promise((resolve) => {
      child.once('exit', (code, signal) => {
        progress.exit = code ?? signal;
        this.children.delete(child);
        resolve();
      });
    });
    const stop = async () => {
      if (child.connected) child.send('stop');
      await ended;
    };
    return { progress, databaseUrl, group, stop };
  }

  /** Polls until it holds; fails with `what` when the process ends, the user interrupts, or the time is over. */
  async until(what, progress, condition, { pollMs = 10, timeoutMs = 600_000 } = {}) {
    const deadline = performance.now() + timeoutMs;
    while (!(await condition())) {
      if (this.interrupted) throw new Error('interrupted');
      if (progress?.exit !== undefined) throw new Error(`${what}: the consumer ended with ${progress.exit}`);
      if (performance.now() > deadline) throw new Error(`${what}: not within ${timeoutMs / 1000} s`);
      await sleep(pollMs);
    }
  }

  async outboxEmpty(databaseUrl, progress) {
    const database = new pg.Client({ connectionString: databaseUrl });
    await database.connect();
    try {
      const empty = async () => (await database.query('SELECT 1 FROM outbox LIMIT 1')).rowCount === 0;
      await this.until('the outbox is empty', progress, empty);
    } finally {
      await database.end();
    }
  }

  /** Publishes with plain kafkajs until so many events were published. */
  async fill(events) {
    const { publisher } = this;
    while (publisher.sequence < events && !this.interrupted) {
      const count = Math.min(1_000, events - publisher.sequence);
      await publisher.write(
        Array.from({ length: count }, () => publisher.record({ key: `k${publisher.sequence % KEYS}` })),
      );
      publisher.ids.length = 0;
    }
  }

  /** Processor time that Kafka and Postgres have used, microseconds; NaN where the system does not tell. */
  async serverMicros() {
    const [kafka, postgres] = await Promise.all([this.kafka, this.postgres].map(({ pid }) => familyMicros(pid)));
    return { kafka, postgres };
  }

  async freshDatabase() {
    this.databases += 1;
    const server = new pg.Client({ connectionString: this.postgres.url });
    await server.connect();
    await server.query(`CREATE DATABASE bench_${this.databases}`);
    await server.end();
    const url = new URL(this.postgres.url);
    url.pathname = `/bench_${this.databases}`;
    const migrations = [...messaging.messagingMigrations];
    const source = await new DataSource({ type: 'postgres', url: url.href, migrations }).initialize();
    await source.runMigrations();
    await source.query(TABLES);
    await source.destroy();
    return url.href;
  }
}

/** Of a process and its children, also of those that have ended. */
async function familyMicros(root) {
  const stats = new Map();
  for (const name of await readdir('/proc').catch(() => [])) {
    if (!/^\d+$/.test(name)) continue;
    const text = await readFile(`/proc/${name}/stat`, 'utf8').catch(() => '');
    const fields = text.slice(text.lastIndexOf(')') + 2).split(' ');
    if (fields.length > 14) stats.set(Number(name), { parent: Number(fields[1]), fields });
  }
  const ticks = ({ fields }, from, to) => fields.slice(from, to).reduce((sum, field) => sum + Number(field), 0);
  let sum = stats.has(root) ? ticks(stats.get(root), 11, 15) : Number.NaN;
  for (const stat of stats.values()) if (stat.parent === root) sum += ticks(stat, 11, 13);
  return sum * CLOCK_TICK_MICROS;
}
