// A whole local system for scripts that watch it live: its own folder under .headrace/, typed clients, definitions.
import { mkdir, rm } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { repository } from '../child.mjs';

const cli = (name) => createRequire(import.meta.url)(join(repository, 'apps', 'cli', 'dist', `${name}.js`));
const { applyDefinitions, waitUntilReady } = cli('commands/apply');
const { Clients, connect } = cli('connection');
const { startLocalSystem, telemetryOf } = cli('local/system');

const READY_MS = 60_000;
const POLL_MS = 250;

/** Thrown when the script was asked to end. */
export class Interrupted extends Error {}

export class LiveSystem {
  static async start({ name, say, signal, ...rest }) {
    const directory = join(repository, '.headrace', name);
    // Every run begins empty: what it shows must come from this run.
    await rm(directory, { recursive: true, force: true });
    await mkdir(directory, { recursive: true });
    const system = await startLocalSystem({
      directory,
      say,
      docker: false,
      kafkaBrokers: process.env.KAFKA_BROKERS,
      databaseUrl: process.env.DATABASE_URL,
      logLevel: process.env.LOG_LEVEL ?? 'warn',
      telemetry: telemetryOf(process.env),
      signal,
      // What a script wants otherwise, such as dependencies that it can stop.
      ...rest,
    });
    return new LiveSystem(system, directory, signal);
  }

  constructor(system, directory, signal) {
    Object.assign(this, { system, directory, signal, addresses: system.addresses });
    this.clients = new Clients(connect({}, system.addresses));
  }

  /** One call of a service: `call('registry', 'listVersions', { model })`. */
  call(service, method, request, options) {
    const client = this.clients[service];
    return this.clients.call(client[method].bind(client), request, options);
  }

  async apply(definitions) {
    await applyDefinitions(this.clients, definitions, false);
    await waitUntilReady(this.clients, definitions, READY_MS);
  }

  /** What `look` gives, once it is neither undefined nor false. A service that does not answer yet is asked again. */
  async until(what, look, timeoutMs = 120_000, pollMs = POLL_MS) {
    const deadline = Date.now() + timeoutMs;
    let fault;
    for (;;) {
      if (this.signal?.aborted) throw new Interrupted('interrupted');
      try {
        const found = await look();
        if (found !== undefined && found !== false) return found;
        fault = undefined;
      } catch (error) {
        // Only what a service says may pass; anything else is a mistake of the script.
        if (error.code === undefined && !(error instanceof TypeError && error.message === 'fetch failed')) throw error;
        fault = error;
      }
      if (Date.now() > deadline)
        throw new Error(`waited ${timeoutMs / 1_000} s in vain until ${what}${fault ? `: ${fault.message}` : ''}`);
      await delay(pollMs);
    }
  }

  async stop() {
    this.clients.close();
    await this.system.stop();
  }
}
