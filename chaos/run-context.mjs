// One run: Kafka and Postgres for all scenarios, and for each scenario a database, topics and processes of its own. All
// of it is gone afterwards, whatever happens.
import { chmod, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import embedded from '@headrace/embedded';
import { Kafka, logLevel } from 'kafkajs';
import { randomFrom } from './random.mjs';
import { Stage } from './stage.mjs';

export class Interrupted extends Error {}

export class Run {
  began = performance.now();
  closing = [];
  interrupted;

  constructor({ full, seed, verbose }) {
    Object.assign(this, { full, seed, verbose });
    this.aborting = new AbortController();
  }

  seconds() {
    return ((performance.now() - this.began) / 1000).toFixed(1);
  }

  interrupt(signal) {
    if (this.interrupted) return;
    this.interrupted = signal;
    this.aborting.abort(new Interrupted(`${signal}: cleaning up`));
  }

  async start() {
    this.folder = await mkdtemp(join(tmpdir(), 'headrace-chaos-'));
    this.closing.push(() => rm(this.folder, { recursive: true, force: true }));
    await chmod(this.folder, 0o711); // Postgres runs as a user of its own
    const unexpected = (what) => (status) => console.error(`${what} ended by itself: ${JSON.stringify(status)}`);
    const started = (server) => {
      this.closing.push(() => server.stop());
      return server;
    };
    const starting = [
      embedded.startKafka({
        dataDirectory: join(this.folder, 'kafka'),
        // Consumers of the scenarios are given up after 2 s instead of ten: more faults in less time.
        properties: { 'group.min.session.timeout.ms': 1000 },
        onUnexpectedExit: unexpected('Kafka'),
      }),
      embedded.startPostgres({
        dataDirectory: join(this.folder, 'postgres'),
        onUnexpectedExit: unexpected('Postgres'),
      }),
    ].map((server) => server.then(started));
    // Also when one fails the other must be known, so that it is stopped.
    await Promise.allSettled(starting);
    [this.kafka, this.postgres] = await Promise.all(starting);
    this.client = new Kafka({ clientId: 'chaos', brokers: [this.kafka.brokers], logLevel: logLevel.NOTHING });
    this.admin = this.client.admin();
    await this.admin.connect();
    this.closing.push(() => this.admin.disconnect());
  }

  /** Prints the line of the scenario; returns what was broken. */
  async scenario(name, play) {
    const began = performance.now();
    const stage = new Stage(this, name, randomFrom(this.seed));
    const report = { counts: {}, violations: [] };
    try {
      await stage.open();
      await Promise.race([play(stage, report), this.untilInterrupted()]);
    } catch (error) {
      if (error instanceof Interrupted) throw error;
      report.violations.push(error.message);
      if (this.verbose) console.error(error);
    } finally {
      await stage.close();
    }
    const seconds = ((performance.now() - began) / 1000).toFixed(1);
    const counts = Object.entries(report.counts).map(([what, count]) => `${what} ${count}`);
    const verdict = report.violations.length === 0 ? 'held  ' : 'BROKEN';
    console.log(`${verdict} ${name.padEnd(20)} ${counts.join(', ')} (${seconds} s)`);
    for (const violation of report.violations) console.log(`         ${violation}`);
    if (report.violations.length > 0) console.log(stage.lastWords());
    return report.violations;
  }

  untilInterrupted() {
    const { signal } = this.aborting;
    return new Promise((_, reject) => {
      if (signal.aborted) reject(signal.reason);
      signal.addEventListener('abort', () => reject(signal.reason), { once: true });
    });
  }

  /** Waits until `condition` gives something; throws with `what` after the time. */
  async until(what, condition, timeoutMs = 60_000, pollMs = 50) {
    const deadline = performance.now() + timeoutMs;
    for (;;) {
      this.aborting.signal.throwIfAborted();
      const value = await condition();
      if (value) return value;
      if (performance.now() > deadline) throw new Error(`not within ${timeoutMs / 1000} s: ${what}`);
      await sleep(pollMs);
    }
  }

  async close() {
    for (const close of this.closing.reverse()) {
      await Promise.resolve()
        .then(close)
        .catch((error) => console.error(`cleaning up: ${error.message}`));
    }
  }
}
