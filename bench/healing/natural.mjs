// The loop, unattended, on the real flights as they were: nothing is injected.
import { spawn } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { repository } from '../../tools/child.mjs';
import { isQuiet, lookAt, performanceWindows, retrainings } from './loop.mjs';

const require = createRequire(import.meta.url);
const { loadDefinitions } = require(join(repository, 'apps', 'cli', 'dist', 'commands', 'apply.js'));
const { pythonCommand } = require('@headrace/embedded');

const NAME = 'late-arrival';
const example = join(repository, 'examples', 'flight-delays');
const data = join(repository, '.headrace', 'data', 'flight-delays');
const REPLAY_SECONDS = 60;
const GROUP = 'flights-application';
const LEAD = 3_000;

export async function runNatural(live, { say }) {
  const running = [];
  const program = (command, args) => {
    const child = spawn(command, args, {
      detached: true,
      stdio: ['pipe', 'pipe', 'inherit'],
      env: { ...process.env, HEADRACE_PARENT_WATCH: '1', KAFKAJS_NO_PARTITIONER_WARNING: '1' },
    });
    running.push(child);
    let output = '';
    child.stdout.on('data', (chunk) => (output += chunk));
    const done = new Promise((resolve, reject) => {
      child.once('error', reject);
      child.once('close', (code) =>
        code === 0 ? resolve(output) : reject(new Error(`${args[0]} ended with ${code}`)),
      );
    });
    done.catch(() => undefined); // whoever waits hears of it
    return done;
  };
  const { kafka, services } = live.addresses;
  const script = (name, ...args) =>
    program(process.execPath, [join(example, `${name}.mjs`), '--brokers', kafka, ...args]);
  const publish = (...args) => script('publisher', '--data', data, '--faults', '1', ...args);
  try {
    if (!existsSync(join(data, 'meta.json'))) {
      say('Preparing the flights');
      const source = join(repository, 'node_modules', 'vega-datasets', 'data');
      await program(pythonCommand(), [join(example, 'prepare.py'), '--source', source, '--out', data]);
    }
    const { replayStart } = JSON.parse(readFileSync(join(data, 'meta.json'), 'utf8'));
    await live.apply(await loadDefinitions(example));
    await publish('--until', replayStart);
    await live.until('version 1 of late-arrival serves', async () =>
      (await live.call('registry', 'getEndpoint', { endpoint: NAME })).desired?.versions.some(
        ({ version }) => version === 1,
      ),
    );
    say(`${NAME}: version 1 serves; the flights that followed, as they were, in ${REPLAY_SECONDS} s`);
    const address = services['inference-gateway'].grpc;
    const asking = script('application', '--gateway', address, '--proto', join(repository, 'proto'), '--endpoint', NAME, '--from', replayStart, '--group', GROUP, '--concurrency', '512'); // prettier-ignore
    await Promise.race([
      publish('--from', replayStart, '--seconds', String(REPLAY_SECONDS), '--behind', `${GROUP}:${LEAD}`),
      asking.then(() => Promise.reject(new Error('the application ended before the flights did'))),
    ]);
    const counts = await live.until('every departure has its answer', async () => {
      const found = JSON.parse((await script('counts', '--from', replayStart)).trim().split('\n').at(-1));
      return found.asked >= found.askable && found;
    });
    const state = await live
      .until(
        'what is on its way has ended',
        async () => {
          const now = await lookAt(live, NAME);
          return isQuiet(now) ? now : undefined;
        },
        30_000,
      )
      .catch(() => lookAt(live, NAME));
    return { counts, ...told(state) };
  } finally {
    for (const child of running) {
      if (child.exitCode === null && child.signalCode === null) {
        const ended = new Promise((resolve) => child.once('close', resolve));
        child.kill('SIGTERM');
        await ended;
      }
    }
  }
}

function told(state) {
  const windows = performanceWindows(state);
  const ends = (change) => state.history.filter((entry) => entry.change === change);
  return {
    retrainings: retrainings(state),
    failedRuns: state.runs.filter(({ state: end }) => end === 'failed').map(({ error }) => error),
    decisions: state.decisions.map(({ type, summary }) => `${type}: ${summary}`),
    promoted: ends('promoted').length,
    rolledBack: ends('rolled_back').length,
    canaries: ends('canary_started').length,
    undecided: state.rollout !== undefined,
    windows: windows.length,
    badWindows: windows.filter(({ crossed }) => crossed).length,
  };
}

export function faultsOfNatural({ counts, failedRuns }) {
  const faults = [];
  if (counts.failed > 0) faults.push(`natural: ${counts.failed} requests got neither an answer nor the fallback`);
  if (failedRuns.length > 0) faults.push(`natural: a training failed: ${failedRuns[0]}`);
  return faults;
}
