// The example "parcels" on a live system, under a name of its own, so that several can stand side by side.
import { spawn } from 'node:child_process';
import { readFile, writeFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { repository } from '../child.mjs';

const { loadDefinitions } = createRequire(import.meta.url)(
  join(repository, 'apps', 'cli', 'dist', 'commands', 'apply.js'),
);
const example = join(repository, 'examples', 'parcels');
const STOP_MS = 10_000;
/** History that a first version is trained on. */
export const HISTORY_DAYS = 12;
/** Not as fast as it goes: partitions that come unevenly leave the watermark behind the newest days, which the plan looks at. */
const HISTORY_DAY_SECONDS = 0.5;

/** The definitions of the example under another name; `change` may alter each (it has `kind` and `spec`). */
export async function definitionsOf(live, name, change = () => undefined) {
  const text = await readFile(join(example, 'definitions.yaml'), 'utf8');
  const file = join(live.directory, `${name}.yaml`);
  await writeFile(file, text.replaceAll('parcels', name));
  const definitions = await loadDefinitions(file);
  for (const definition of definitions) change(definition);
  return definitions;
}

/** One run of the example's traffic.mjs. */
export class Traffic {
  /** Of the last line: counts, event time. */
  report = { published: 0, eventTime: 0, asked: 0, answered: 0, fallback: 0, failed: 0 };
  /** Event time that upstream had reached, by wall clock: [milliseconds, milliseconds]. */
  #clock = [];
  ended = false;

  constructor(live, { name, ask = true, ...options }) {
    const { kafka, services } = live.addresses;
    const args = ['--brokers', kafka, '--proto', join(repository, 'proto'), '--name', name];
    if (ask) args.push('--gateway', services['inference-gateway'].grpc);
    for (const [option, value] of Object.entries(options)) args.push(`--${option}`, String(value));
    this.child = spawn(process.execPath, [join(example, 'traffic.mjs'), ...args], {
      // A group of its own: a Ctrl-C at the terminal reaches it through us alone.
      detached: true,
      stdio: ['pipe', 'pipe', 'pipe'],
      env: { ...process.env, HEADRACE_PARENT_WATCH: '1', KAFKAJS_NO_PARTITIONER_WARNING: '1' },
    });
    this.child.stdin.on('error', () => undefined); // it has ended
    let errors = '';
    this.child.stderr.on('data', (chunk) => (errors = (errors + chunk).slice(-2_000)));
    createInterface({ input: this.child.stdout }).on('line', (line) => {
      this.report = JSON.parse(line);
      this.#clock.push([Date.now(), this.report.eventTime]);
    });
    this.done = new Promise((resolve, reject) => {
      this.child.once('error', reject);
      this.child.once('close', (code) =>
        code === 0 ? resolve(this.report) : reject(new Error(`the traffic of ${name} ended with ${code}: ${errors}`)),
      );
    });
    const ends = () => (this.ended = true);
    this.done.then(ends, ends); // whoever waits for `done` hears of a failure
  }

  /** The event time (ms) that upstream had reached at a moment of the wall clock (ms). */
  eventTimeAt(wall) {
    const after = this.#clock.findIndex(([at]) => at >= wall);
    if (after <= 0) return this.#clock.at(after)?.[1] ?? NaN;
    const [[beforeWall, before], [afterWall, reached]] = this.#clock.slice(after - 1, after + 1);
    return before + ((wall - beforeWall) / (afterWall - beforeWall)) * (reached - before);
  }

  async stop() {
    const force = setTimeout(() => this.child.kill('SIGKILL'), STOP_MS);
    this.child.kill('SIGTERM');
    await this.done.catch(() => undefined);
    clearTimeout(force);
  }
}

/** History is published, the first version is trained on it and serves. Resolves with the seconds that its training took. */
export async function untilServes(live, name, options = {}, say = () => undefined) {
  const history = new Traffic(live, {
    name,
    ask: false,
    'until-day': HISTORY_DAYS,
    'day-seconds': HISTORY_DAY_SECONDS,
    ...options,
  });
  try {
    await history.done;
    const seconds = await live.until(`version 1 of ${name} serves`, async () => {
      const { runs } = await live.call('training', 'listRuns', { plan: name });
      const endpoint = await live.call('registry', 'getEndpoint', { endpoint: name });
      if (!endpoint.desired?.versions.some(({ version }) => version === 1)) return undefined;
      const run = runs.find(({ state }) => state === 'done');
      return run && (run.finishedAtMicros - run.requestedAtMicros) / 1e6;
    });
    say(`${name}: version 1 serves, its training took ${seconds.toFixed(1)} s`);
    return seconds;
  } finally {
    await history.stop();
  }
}
