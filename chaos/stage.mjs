// What one scenario plays on: a database, the topics of its streams, a publisher and processes of the sample service.
import { fork } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { fileURLToPath } from 'node:url';
import { setTimeout as sleep } from 'node:timers/promises';
import messaging from '@headrace/messaging';
import pg from 'pg';
import { DataSource } from 'typeorm';
import { Publisher } from './publisher.mjs';
import { count, missingFrom } from './counting.mjs';

const SERVICE = fileURLToPath(new URL('./service.mjs', import.meta.url));
const PARTITIONS = 4;
const KEPT_LINES = 400;

/** Sample service in its own process. */
class ServiceProcess {
  status = { ready: false, reasons: ['starting'] };
  lines = [];

  constructor(plan) {
    this.child = fork(SERVICE, [JSON.stringify(plan)], { stdio: ['ignore', 'pipe', 'pipe', 'ipc'] });
    this.exited = new Promise((resolve) => {
      this.child.once('exit', (code, signal) => {
        this.exit = { code, signal };
        resolve(this.exit);
      });
    });
    this.child.on('message', (status) => {
      this.status = status;
    });
    for (const stream of [this.child.stdout, this.child.stderr]) {
      stream.setEncoding('utf8').on('data', (text) => {
        this.lines.push(...text.split('\n').filter((line) => line !== ''));
        if (plan.verbose) process.stderr.write(text);
        this.lines.splice(0, this.lines.length - KEPT_LINES);
      });
    }
  }

  get text() {
    return this.lines.join('\n');
  }

  get running() {
    return this.exit === undefined;
  }

  tell(message) {
    if (this.running && this.child.connected) this.child.send(message);
  }

  signal(name) {
    if (this.running) this.child.kill(name);
  }

  async kill() {
    this.signal('SIGKILL');
    await this.exited;
  }

  async stop() {
    this.signal('SIGTERM');
    await Promise.race([this.exited, sleep(15_000, undefined, { ref: false })]);
    await this.kill();
  }
}

/** Every record of a topic; none when it does not exist. */
async function recordsOf(run, topic) {
  if (!(await run.admin.listTopics()).includes(topic)) return [];
  const ends = await run.admin.fetchTopicOffsets(topic);
  const wanted = ends.reduce((sum, { high, low }) => sum + Number(high) - Number(low), 0);
  if (wanted === 0) return [];
  const consumer = run.client.consumer({ groupId: `chaos-reader-${randomUUID()}`, maxWaitTimeInMs: 100 });
  const records = [];
  try {
    await consumer.connect();
    await consumer.subscribe({ topics: [topic], fromBeginning: true });
    await consumer.run({ autoCommit: false, eachMessage: async ({ message }) => void records.push(message) });
    await run.until(`${wanted} records of ${topic} are read`, () => records.length >= wanted, 30_000);
    return records;
  } finally {
    await consumer.disconnect();
  }
}

/** On a connection of its own: the server may have been killed since the last one. */
async function statement(connectionString, sql, parameters = []) {
  const client = new pg.Client({ connectionString });
  client.on('error', () => undefined); // the statement fails with it
  await client.connect();
  try {
    return (await client.query(sql, parameters)).rows;
  } finally {
    await client.end();
  }
}

export class Stage {
  processes = [];
  closing = [];

  constructor(run, name, random) {
    Object.assign(this, { run, name, random, full: run.full });
    /** Events a second: little enough for a machine that is busy with other things. */
    this.load = this.full ? 400 : 150;
    this.stream = name;
    this.next = `${name}-next`;
    this.group = `chaos-${name}`;
    this.topic = `data.${this.stream}.v1`;
    this.nextTopic = `data.${this.next}.v1`;
    this.database = `chaos_${name.replaceAll('-', '_')}`;
  }

  async open() {
    await this.administer(`CREATE DATABASE ${this.database}`);
    const url = new URL(this.run.postgres.url);
    url.pathname = `/${this.database}`;
    this.databaseUrl = url.href;
    const dataSource = new DataSource({
      type: 'postgres',
      url: this.databaseUrl,
      migrations: [...messaging.messagingMigrations],
    });
    await dataSource.initialize();
    await dataSource.runMigrations();
    await dataSource.query(`
      CREATE TABLE effects (nth bigserial PRIMARY KEY, event_id text, key text, sequence bigint, stream text);
      CREATE TABLE follow_ups (nth bigserial PRIMARY KEY, event_id text, key text, sequence bigint);
      CREATE TABLE causes (id text PRIMARY KEY, nth bigint DEFAULT nextval('effects_nth_seq'));
      CREATE TABLE commands (event_id text PRIMARY KEY);
      CREATE TABLE mended (mended boolean NOT NULL)`);
    await dataSource.destroy();
    await messaging.ensureTopics([this.run.kafka.brokers], [this.topic, this.nextTopic]);
    this.publisher = new Publisher(this.run.client, this.topic, this.stream);
  }

  /** One statement on the scenario's database. */
  query(sql, parameters) {
    return statement(this.databaseUrl, sql, parameters);
  }

  /** One statement on the server's own database. */
  administer(sql) {
    return statement(this.run.postgres.url, sql);
  }

  /** `plan` changes what the sample service does: see service.mjs. */
  launch(plan = {}) {
    const service = new ServiceProcess({
      brokers: this.run.kafka.brokers,
      databaseUrl: this.databaseUrl,
      group: this.group,
      stream: this.stream,
      next: this.next,
      verbose: this.run.verbose,
      ...plan,
    });
    this.processes.push(service);
    return service;
  }

  async launchReady(plan = {}) {
    const process = this.launch(plan);
    await this.ready(process);
    return process;
  }

  async ready(process) {
    await this.until('the service is ready', () => process.status.ready || !process.running);
    if (!process.running) throw new Error(`the service ended with ${JSON.stringify(process.exit)}\n${process.text}`);
  }

  until(what, condition, timeoutMs, pollMs) {
    return this.run.until(what, condition, timeoutMs, pollMs);
  }

  async effectsSoFar() {
    const [{ nth }] = await this.query('SELECT coalesce(max(nth), 0)::int AS nth FROM effects');
    return nth;
  }

  /** Seconds until an effect is committed that is not there yet. */
  async secondsToResume(timeoutMs = 60_000) {
    const began = performance.now();
    const before = await this.effectsSoFar();
    await this.until('effects are committed again', async () => (await this.effectsSoFar()) > before, timeoutMs, 20);
    return (performance.now() - began) / 1000;
  }

  /** Seconds until everything published up to now has its effect. */
  async secondsToCatchUp(timeoutMs = 60_000) {
    const began = performance.now();
    const published = this.publisher.ids.length;
    const enough = async () => {
      const [{ effects }] = await this.query('SELECT count(DISTINCT event_id)::int AS effects FROM effects');
      return effects >= published;
    };
    await this.until('everything published has its effect', enough, timeoutMs, 100).catch(async (error) => {
      throw new Error(`${error.message}; ${await this.whereItStands()}`, { cause: error });
    });
    return (performance.now() - began) / 1000;
  }

  mustRun(report, processes) {
    for (const { exit } of processes) {
      if (exit !== undefined) report.violations.push(`a process ended by itself: ${JSON.stringify(exit)}`);
    }
  }

  /** A member that comes into a group and leaves it again: two rebalances. */
  async disturb(groupId) {
    const topic = groupId === this.group ? this.topic : this.nextTopic;
    const guest = this.run.client.consumer({ groupId, sessionTimeout: 2_000, heartbeatInterval: 300 });
    try {
      await guest.connect();
      await guest.subscribe({ topics: [topic] });
      const joined = new Promise((resolve) => guest.on(guest.events.GROUP_JOIN, resolve));
      await guest.run({ autoCommit: false, eachBatchAutoResolve: false, eachBatch: () => Promise.resolve() });
      await Promise.race([joined, sleep(5_000, undefined, { ref: false })]);
    } finally {
      await guest.disconnect();
    }
  }

  /** Dead letters of the first group: {id, reason, value}. */
  async deadLetters() {
    const records = await recordsOf(this.run, `${this.topic}.${this.group}.dlq`);
    // Markers of what was redriven have no reason.
    const letters = records.filter(({ headers }) => headers.dlq_reason !== undefined);
    return letters.map(({ headers, value }) => ({
      id: String(headers.ce_id),
      reason: String(headers.dlq_reason),
      code: String(headers.dlq_code),
      value,
    }));
  }

  /** All of `expected` ({record, reason}) once, with their reason and their bytes, and nothing else. */
  expectDeadLetters(report, found, expected) {
    const byId = new Map(found.map((letter) => [letter.id, letter]));
    const missing = expected.filter(({ record }) => !byId.has(record.id));
    const ids = new Set(expected.map(({ record }) => record.id));
    const others = found.filter(({ id }) => !ids.has(id));
    const wrong = expected.filter(({ record, reason }) => byId.has(record.id) && byId.get(record.id).reason !== reason);
    const altered = expected.filter(
      ({ record }) => byId.has(record.id) && !byId.get(record.id).value.equals(record.value),
    );
    const check = (list, text) => list.length > 0 && report.violations.push(`${list.length} ${text}`);
    check(
      missing,
      `dead letters are missing: ${missing.slice(0, 5).map(({ record, reason }) => `${record.id} (${reason})`)}`,
    );
    check(others, `dead letters should not be: ${others.slice(0, 5).map(({ id, code }) => `${id} (${code})`)}`);
    check(
      wrong,
      `dead letters have another reason: ${wrong.slice(0, 5).map(({ record, reason }) => `${byId.get(record.id).reason} instead of ${reason}`)}`,
    );
    check(altered, 'dead letters have other bytes than their originals');
    if (byId.size < found.length) report.violations.push(`${found.length - byId.size} dead letters came twice`);
  }

  /** How many events of the outbox stand on the log more than once. */
  async repeatsOnTheLog() {
    const records = await recordsOf(this.run, this.nextTopic);
    const ids = new Set(records.map(({ headers }) => String(headers.ce_id)));
    return records.length - ids.size;
  }

  async outboxRows() {
    const [{ rows }] = await this.query('SELECT count(*)::int AS rows FROM outbox');
    return rows;
  }

  async oldestOutboxRowS() {
    const [{ age }] = await this.query(
      'SELECT coalesce(extract(epoch FROM clock_timestamp() - min(created_at)), 0)::float8 AS age FROM outbox',
    );
    return age;
  }

  /** Until both groups stand at the end of their logs and the outbox is empty. */
  async drained(timeoutMs = 60_000) {
    await this.until(
      'both groups stand at the end of their logs, outbox empty',
      () => this.isDrained(),
      timeoutMs,
      200,
    );
  }

  /** What is not done yet, for whoever looks for the reason: positions behind their logs, the outbox, what is parked. */
  async whereItStands() {
    const lags = [];
    for (const topic of [this.topic, this.nextTopic]) {
      const positions = await this.query('SELECT partition, next_offset FROM consumer_positions WHERE topic = $1', [
        topic,
      ]);
      for (const { partition, high } of await this.run.admin.fetchTopicOffsets(topic)) {
        const next = positions.find((row) => row.partition === partition)?.next_offset ?? 'none';
        if (next !== high) lags.push(`${topic}/${partition} at ${next} of ${high}`);
      }
    }
    const parked = await this.query('SELECT state, count(*)::int AS events FROM parked_events GROUP BY state');
    const waiting = parked.map(({ state, events }) => `${events} ${state}`);
    const processes = this.processes
      .filter(({ running }) => running)
      .map(({ status }) => (status.ready ? 'ready' : `not ready (${status.reasons.join(', ')})`));
    return [
      `behind: ${lags.join(', ') || 'nothing'}`,
      `outbox rows: ${await this.outboxRows()}`,
      `parked: ${waiting.join(', ') || 'nothing'}`,
      `processes: ${processes.join(', ') || 'none'}`,
    ].join('; ');
  }

  async isDrained() {
    if ((await this.outboxRows()) > 0) return false;
    for (const topic of [this.topic, this.nextTopic]) {
      const positions = await this.query('SELECT partition, next_offset FROM consumer_positions WHERE topic = $1', [
        topic,
      ]);
      const ends = await this.run.admin.fetchTopicOffsets(topic);
      if (positions.length < PARTITIONS) return false;
      for (const { partition, high } of ends) {
        if (!positions.some((row) => row.partition === partition && row.next_offset === high)) return false;
      }
    }
    return (await this.outboxRows()) === 0;
  }

  /**
   * Compares what was published with the effects, and effects and commands with the follow-ups of the second group, by ids.
   * `expected`: those that must have an effect; no others may.
   */
  async compare(report, { expected = this.publisher.ids } = {}) {
    const effects = await this.query('SELECT event_id, key, sequence::int FROM effects ORDER BY nth');
    const follow = await this.query('SELECT event_id, key, sequence::int FROM follow_ups ORDER BY nth');
    const first = count(effects);
    const second = count(follow);
    const lost = missingFrom(first.ids, expected);
    const unexpected = missingFrom(new Set(expected), first.ids);
    const commands = (await this.query('SELECT event_id FROM commands')).map((row) => row.event_id);
    const lostNext = missingFrom(second.ids, [...expected, ...commands]);
    Object.assign(report.counts, {
      published: this.publisher.ids.length,
      ...(commands.length > 0 ? { commands: commands.length } : {}),
      effects: effects.length,
      lost: lost.length + lostNext.length,
      duplicates: first.duplicates + second.duplicates,
      inversions: first.inversions + second.inversions,
    });
    const check = (broken, text) => broken && report.violations.push(text);
    check(lost.length > 0, `${lost.length} published events have no effect: ${lost.slice(0, 5).join(', ')}`);
    check(lostNext.length > 0, `${lostNext.length} effects have no follow-up: ${lostNext.slice(0, 5).join(', ')}`);
    check(
      unexpected.length > 0,
      `${unexpected.length} effects of nothing expected: ${unexpected.slice(0, 5).join(', ')}`,
    );
    check(first.duplicates > 0, `${first.duplicates} effects happened twice`);
    check(second.duplicates > 0, `${second.duplicates} follow-ups were applied twice`);
    check(first.inversions > 0, `${first.inversions} effects went backwards within their key`);
    check(second.inversions > 0, `${second.inversions} follow-ups went backwards within their key`);
  }

  lastWords() {
    return this.processes
      .map((process) =>
        process.lines
          .slice(-4)
          .map((line) => `         | ${line}`)
          .join('\n'),
      )
      .join('\n');
  }

  async close() {
    await this.publisher?.close();
    await Promise.all(
      this.processes.map(async (process) => {
        process.signal('SIGCONT');
        await process.kill();
      }),
    );
    for (const close of this.closing.reverse()) await close();
  }
}
