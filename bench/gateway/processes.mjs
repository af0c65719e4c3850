// Processes of the gateway's benchmarks: on a core of their own where the system allows it, measured from outside.
import { spawn, spawnSync } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { cpus, totalmem } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';

export const here = dirname(fileURLToPath(import.meta.url));
export const repository = resolve(here, '..', '..');

/** Of servers, and of what loads them. */
export const SERVER_CORE = 0;
export const LOAD_CORE = 1;
const canPin = spawnSync('taskset', ['-c', '0', 'true']).status === 0 && cpus().length > 1;

export const machine = () =>
  `${cpus().length} × ${cpus()[0]?.model ?? 'unknown processor'}, ${Math.round(totalmem() / 2 ** 30)} GiB, Node ${process.version}; ` +
  (canPin ? 'server on core 0, load on core 1' : 'not pinned: taskset or a second core is missing');

const children = new Set();

/** `core` undefined: wherever the system puts it. */
export function startProgram(core, command, { environment = {}, directory } = {}) {
  const [program, ...args] = canPin && core !== undefined ? ['taskset', '-c', String(core), ...command] : command;
  const child = spawn(program, args, {
    cwd: directory,
    env: { ...process.env, ...environment },
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  children.add(child);
  child.once('exit', () => children.delete(child));
  return child;
}

export const startNode = (core, args, environment) =>
  startProgram(core, [process.execPath, ...args], environment === undefined ? {} : { environment });

export async function stopAll() {
  const ended = [...children].map((child) => new Promise((done) => child.once('exit', done)));
  for (const child of children) child.kill('SIGTERM');
  const patience = setTimeout(() => {
    for (const child of children) child.kill('SIGKILL');
  }, 10_000);
  await Promise.all(ended);
  clearTimeout(patience);
}

/** First line of output that `find` makes something of. Everything is read on, so that nobody waits for a full pipe. */
export function waitForLine(child, find) {
  return new Promise((done, fail) => {
    let rest = '';
    let all = '';
    child.once('exit', (code) => fail(new Error(`a process ended with exit code ${code}:\n${all}`)));
    child.stdout.on('data', (chunk) => {
      if (all.length < 10_000) all += chunk;
      const lines = (rest + chunk).split('\n');
      rest = lines.pop();
      for (const line of lines) {
        const found = find(line);
        if (found !== undefined) done(found);
      }
    });
  });
}

/** What a log line of a service says, or an empty object for other lines. */
export function logEntry(line) {
  return line.startsWith('{') ? JSON.parse(line) : {};
}

/** Waits until a server answers 200. */
export async function untilOk(url, seconds = 90) {
  for (let attempt = 0; attempt < seconds * 10; attempt += 1) {
    const response = await fetch(url).catch(() => undefined);
    if (response?.ok) return;
    await new Promise((done) => setTimeout(done, 100));
  }
  throw new Error(`${url} did not answer 200 within ${seconds} s`);
}

/** Microseconds of CPU that a process has used; NaN where the system does not say. */
export async function cpuMicros(pid) {
  const text = await readFile(`/proc/${pid}/stat`, 'utf8').catch(() => '');
  const fields = text.slice(text.lastIndexOf(')') + 2).split(' ');
  return (Number(fields[11]) + Number(fields[12])) * 10_000;
}

/** Resident memory of a process, MiB: now, and at most until now. */
export async function memory(pid) {
  const text = await readFile(`/proc/${pid}/status`, 'utf8').catch(() => '');
  const mebibytes = (name) => Math.round(Number(new RegExp(`${name}:\\s+(\\d+)`).exec(text)?.[1] ?? NaN) / 1024);
  return { now: mebibytes('VmRSS'), most: mebibytes('VmHWM') };
}

/**
 * Runs a load program beside a server: `program` prints "warm" when it begins to measure, then one line of JSON. CPU is the
 * server's for a request.
 */
export async function measure({ pid, port }, program, plan) {
  const child = startNode(LOAD_CORE, [join(here, program), JSON.stringify({ port, ...plan })]);
  await waitForLine(child, (line) => (line === 'warm' ? line : undefined));
  const before = await cpuMicros(pid);
  const result = await waitForLine(child, (line) => (line.startsWith('{') ? JSON.parse(line) : undefined));
  result.cpuMicros = ((await cpuMicros(pid)) - before) / result.requests;
  if (result.failed > 0) throw new Error(`${result.failed} of ${result.requests} requests failed`);
  return result;
}
