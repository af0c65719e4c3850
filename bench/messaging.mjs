// npm run bench -- messaging [--events 150000] [--rounds 3] [--latency-seconds 20] [--memory-events 1000000] [--profile]
//
// Events a second through the whole consumer path of libs/messaging (decode, position, repeats, a handler that updates one
// row by key, one outbox event that is published too) on one core, beside bare kafkajs with the same upsert and Nest's own
// Kafka transport with one transaction an event, in turns; then latency end to end, then memory over many events.
import { fork, spawnSync } from 'node:child_process';
import { chmod, mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { cpus, tmpdir, totalmem } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import embedded from '@headrace/embedded';
import messaging from '@headrace/messaging';
import { Kafka, logLevel } from 'kafkajs';
import pg from 'pg';
import { DataSource } from 'typeorm';
import { Publisher } from '../chaos/publisher.mjs';
import { KEYS, NEXT_TOPIC, STREAM, TABLE, TOPIC } from './messaging/setup.mjs';

const { values: options } = parseArgs({
  options: {
    events: { type: 'string', default: '150000' },
    rounds: { type: 'string', default: '3' },
    'latency-seconds': { type: 'string', default: '20' },
    'memory-events': { type: 'string', default: '1000000' },
    profile: { type: 'boolean', default: false },
  },
});
for (const name of ['events', 'rounds', 'latency-seconds', 'memory-events']) {
  if (!/^\d+$/.test(options[name])) throw new Error(`--${name}: a whole number, not ${options[name]}`);
}
const EVENTS = Number(options.events);
const ROUNDS = Number(options.rounds);
const LATENCY_PER_SECOND = 200;
/** Nest takes one event at a time: it gets as many as keep it busy for about as long. */
const NEST_EVENTS = Math.ceil(EVENTS / 20);
const WARM_SHARE = 0.2;

const repository = fileURLToPath(new URL('..', import.meta.url));
const folder = await mkdtemp(join(tmpdir(), 'headrace-bench-'));
await chmod(folder, 0o711); // Postgres runs as a user of its own
const canPin = cpus().length > 1 && spawnSync('taskset', ['-c', '0', 'true']).status === 0;
const children = new Set();
const servers = [];
let databases = 0;

/** Pins a process with all its threads to a core. */
function pin(pid, core) {
  if (canPin) spawnSync('taskset', ['-a', '-p', '-c', String(core), String(pid)]);
}

async function statement(url, sql) {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  try {
    return (await client.query(sql)).rows;
  } finally {
    await client.end();
  }
}

async function freshDatabase() {
  databases += 1;
  await statement(postgres.url, `CREATE DATABASE bench_${databases}`);
  const url = new URL(postgres.url);
  url.pathname = `/bench_${databases}`;
  const source = new DataSource({ type: 'postgres', url: url.href, migrations: [...messaging.messagingMigrations] });
  await source.initialize();
  await source.runMigrations();
  await source.query(TABLE);
  await source.destroy();
  return url.href;
}

async function begin(contender, plan = {}) {
  const databaseUrl = await freshDatabase();
  const path = fileURLToPath(new URL(`./messaging/${contender}.mjs`, import.meta.url));
  const group = `bench-${databases}`;
  const execArgv = options.profile && contender === 'headrace' ? ['--cpu-prof', `--cpu-prof-dir=${profiles}`] : [];
  const child = fork(path, [JSON.stringify({ brokers: kafka.brokers, databaseUrl, group, ...plan })], { execArgv });
  pin(child.pid, 0);
  children.add(child);
  const progress = { handled: 0 };
  child.on('message', (message) => Object.assign(progress, message));
  child.once('exit', (code) => (progress.exit = code));
  const stop = () =>
    new Promise((resolve) => {
      child.once('exit', resolve);
      child.send('stop');
    }).then(() => children.delete(child));
  return { child, progress, databaseUrl, stop };
}

async function until(condition, pollMs = 10) {
  for (;;) {
    if (interrupted) throw new Error('interrupted');
    const value = await condition();
    if (value !== undefined && value !== false) return value;
    await sleep(pollMs);
  }
}

/** Events a second, and the consumer's processor time for one, after the warm-up. Headrace: until its outbox is empty. */
async function throughput(contender, events) {
  const { progress, databaseUrl, stop } = await begin(contender);
  const alive = (value) => {
    if (progress.exit !== undefined) throw new Error(`${contender} ended with exit code ${progress.exit}`);
    return value;
  };
  await until(() => alive(progress.handled >= events * WARM_SHARE));
  const first = { ...progress, at: performance.now() };
  await until(() => alive(progress.handled >= events));
  const committedAt = performance.now();
  if (contender === 'headrace') {
    await until(async () => (await statement(databaseUrl, 'SELECT 1 FROM outbox LIMIT 1')).length === 0);
  }
  const at = performance.now();
  await sleep(60); // one more report
  const done = events - first.handled;
  const result = {
    perSecond: Math.round((done / (at - first.at)) * 1000),
    handledPerSecond: Math.round((done / (committedAt - first.at)) * 1000),
    cpuMicros: Math.round(((progress.cpuMicros - first.cpuMicros) / done) * 10) / 10,
  };
  await stop();
  return result;
}

/** Publishes with plain kafkajs until the topic holds this many. */
async function fill(publisher, events) {
  while (publisher.sequence < events) {
    const count = Math.min(1_000, events - publisher.sequence);
    await publisher.write(
      Array.from({ length: count }, () => publisher.record({ key: `k${publisher.sequence % KEYS}` })),
    );
    publisher.ids.length = 0;
  }
}

const percentile = (sorted, share) => sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))];

/** Produced → effect → next event consumed, milliseconds. */
async function latency(publisher, seconds) {
  const { stop, progress } = await begin('headrace');
  const before = publisher.sequence;
  await until(() => progress.handled >= before);
  const consumer = client.consumer({ groupId: `bench-latency-${databases}`, maxWaitTimeInMs: 5_000 });
  await consumer.connect();
  await consumer.subscribe({ topics: [NEXT_TOPIC], fromBeginning: false });
  const sent = new Map();
  const taken = [];
  await consumer.run({
    eachMessage: async ({ message }) => {
      const at = sent.get(String(message.headers.ce_causationid));
      if (at !== undefined) taken.push(performance.now() - at);
    },
  });
  const one = async () => {
    const record = publisher.record({ key: `k${publisher.sequence % KEYS}` });
    sent.set(record.id, performance.now());
    await publisher.write([record]);
  };
  // Until the first one comes back everything is in place.
  await until(async () => {
    await one();
    return taken.length > 0;
  }, 100);
  await sleep(1_000);
  sent.clear();
  taken.length = 0;
  const total = seconds * LATENCY_PER_SECOND;
  const began = performance.now();
  const writes = [];
  for (let number = 0; number < total; number += 1) {
    const wait = began + (number * 1000) / LATENCY_PER_SECOND - performance.now();
    if (wait > 1) await sleep(wait);
    writes.push(one());
  }
  await Promise.all(writes);
  await until(() => taken.length >= total);
  await consumer.disconnect();
  await stop();
  const sorted = taken.sort((a, b) => a - b);
  const rounded = (share) => Math.round(percentile(sorted, share) * 10) / 10;
  return { perSecond: LATENCY_PER_SECOND, events: total, p50Ms: rounded(0.5), p99Ms: rounded(0.99) };
}

/** Most memory of the process in the second tenth and in the last tenth of the events, MiB. */
async function memory(publisher, events) {
  const { progress, stop } = await begin('headrace');
  const samples = [];
  const from = publisher.sequence;
  const filling = fill(publisher, from + events);
  await until(() => {
    samples.push({ handled: progress.handled, rss: progress.rss ?? 0, heap: progress.heapUsed ?? 0 });
    return progress.handled >= from + events;
  }, 100);
  await filling;
  await stop();
  const most = (what, low, high) => {
    const chosen = samples.filter(
      ({ handled }) => handled >= (from + events) * low && handled <= (from + events) * high,
    );
    return Math.round(Math.max(...chosen.map((sample) => sample[what])) / 2 ** 20);
  };
  return {
    events: from + events,
    rssEarlyMiB: most('rss', 0.1, 0.2),
    rssLateMiB: most('rss', 0.9, 1),
    heapEarlyMiB: most('heap', 0.1, 0.2),
    heapLateMiB: most('heap', 0.9, 1),
  };
}

let interrupted = false;
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.on(signal, () => (interrupted = true));
const profiles = join(repository, '.headrace', 'bench', 'profiles');
const median = (values) => [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)];
let kafka;
let postgres;
let client;
try {
  kafka = await embedded.startKafka({ dataDirectory: join(folder, 'kafka') });
  servers.push(kafka);
  postgres = await embedded.startPostgres({ dataDirectory: join(folder, 'postgres') });
  servers.push(postgres);
  for (const { pid } of servers) pin(pid, 1);
  pin(process.pid, 1);
  client = new Kafka({ brokers: [kafka.brokers], logLevel: logLevel.NOTHING });
  await messaging.ensureTopics([kafka.brokers], [TOPIC, NEXT_TOPIC]);
  const publisher = new Publisher(client, TOPIC, STREAM);
  const machine =
    `${cpus().length} × ${cpus()[0]?.model ?? 'unknown processor'}, ${Math.round(totalmem() / 2 ** 30)} GiB, ` +
    `Node ${process.version}; ` +
    (canPin ? 'consumer on core 0, Kafka and Postgres on core 1' : 'not pinned: taskset or a second core is missing');
  console.log(machine);
  await fill(publisher, EVENTS);

  const results = { headrace: [], bare: [], nest: [] };
  console.log('           events/s (outbox published)   events/s (handled)   CPU µs an event');
  for (let round = 0; round < ROUNDS; round += 1) {
    for (const contender of Object.keys(results)) {
      const result = await throughput(contender, contender === 'nest' ? NEST_EVENTS : EVENTS);
      results[contender].push(result);
      const { perSecond, handledPerSecond, cpuMicros } = result;
      const cells = [perSecond, handledPerSecond, cpuMicros].map((value, index) =>
        String(value).padStart([30, 21, 18][index]),
      );
      console.log(contender.padEnd(9) + cells.join(''));
    }
  }
  const middle = (contender) => median(results[contender].map(({ perSecond }) => perSecond));
  const throughputs = Object.fromEntries(Object.keys(results).map((contender) => [contender, middle(contender)]));
  const ratios = {
    ofBare: Math.round((throughputs.headrace / throughputs.bare) * 100) / 100,
    timesNest: Math.round((throughputs.headrace / throughputs.nest) * 10) / 10,
  };
  if (ROUNDS > 0) {
    console.log(
      `Median: ${throughputs.headrace} events/s; ${ratios.ofBare} of bare kafkajs, ${ratios.timesNest} × Nest's transport`,
    );
  }
  const report = { machine, events: EVENTS, rounds: results, median: throughputs, ratios };
  if (Number(options['latency-seconds']) > 0) {
    report.latency = await latency(publisher, Number(options['latency-seconds']));
    console.log(
      `End to end at ${LATENCY_PER_SECOND}/s: p50 ${report.latency.p50Ms} ms, p99 ${report.latency.p99Ms} ms`,
    );
  }
  if (Number(options['memory-events']) > 0) {
    report.memory = await memory(publisher, Number(options['memory-events']));
    const { rssEarlyMiB, rssLateMiB, heapEarlyMiB, heapLateMiB, events } = report.memory;
    console.log(
      `Memory over ${events} events, early → late: RSS ${rssEarlyMiB} → ${rssLateMiB} MiB, heap ${heapEarlyMiB} → ${heapLateMiB} MiB`,
    );
  }
  await mkdir(join(repository, '.headrace', 'bench'), { recursive: true });
  await writeFile(
    join(repository, '.headrace', 'bench', 'messaging.json'),
    `${JSON.stringify(report, undefined, 2)}\n`,
  );
  await publisher.close();
} catch (error) {
  process.exitCode = interrupted ? 130 : 1;
  if (!interrupted) console.error(error);
} finally {
  for (const child of children) child.kill('SIGKILL');
  for (const server of servers) await server.stop();
  await rm(folder, { recursive: true, force: true });
}
process.exit();
