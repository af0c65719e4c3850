// Debian's Prometheus, for as long as a script needs it.
import { spawn } from 'node:child_process';
import { writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { stringify } from 'yaml';

const START_MS = 20_000;

/** Runs in `folder` with a configuration (an object) until it is stopped. */
export async function startPrometheus(folder, configuration) {
  const port = await freePort();
  const config = join(folder, 'prometheus.yml');
  await writeFile(config, stringify(configuration));
  const child = spawn(
    'prometheus',
    [
      `--config.file=${config}`,
      `--storage.tsdb.path=${join(folder, 'data')}`,
      `--web.listen-address=127.0.0.1:${port}`,
      '--log.level=warn',
    ],
    // A group of its own: a Ctrl-C at the terminal must not end it before the judgement.
    { stdio: ['ignore', 'pipe', 'pipe'], detached: true },
  );
  let log = '';
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (chunk) => (log = (log + chunk).slice(-4_000)));
  const ended = new Promise((resolveEnd) => child.once('close', resolveEnd));
  const killed = () => child.kill('SIGKILL');
  process.on('exit', killed);
  const get = async (path, parameters = {}) => {
    const answer = await fetch(`http://127.0.0.1:${port}/api/v1/${path}`, {
      ...(path.startsWith('query') ? { method: 'POST', body: new URLSearchParams(parameters) } : {}),
    });
    const { status, data, error } = await answer.json();
    if (status !== 'success') throw new Error(error);
    return data;
  };
  const deadline = Date.now() + START_MS;
  for (;;) {
    const ready = await fetch(`http://127.0.0.1:${port}/-/ready`).then(
      (answer) => answer.ok,
      () => false,
    );
    if (ready) break;
    if (child.exitCode !== null || Date.now() > deadline) {
      child.kill('SIGKILL');
      throw Object.assign(new Error(`prometheus did not start:\n${log}`), { expected: true });
    }
    await delay(100);
  }
  return {
    get,
    query: async (query) => (await get('query', { query })).result,
    stop: async () => {
      child.kill('SIGTERM');
      await ended;
      process.off('exit', killed);
    },
  };
}

function freePort() {
  return new Promise((resolvePort, reject) => {
    const server = createServer();
    server.once('error', reject);
    server.listen(0, '127.0.0.1', () => {
      const { port } = server.address();
      server.close(() => resolvePort(port));
    });
  });
}
