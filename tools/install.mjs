// Installs what a checkout needs to run, and only what is missing or out of date: npm packages, the Python environment,
// Kafka's jars, the built projects. Needs nothing but Node and Python. `node tools/install.mjs` (`--clients`: with
// what the gateway's specs call it by), or ensureInstalled() from the other scripts here.
import { createHash } from 'node:crypto';
import { existsSync } from 'node:fs';
import { mkdir, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { join, resolve } from 'node:path';
import { performance } from 'node:perf_hooks';
import { pathToFileURL } from 'node:url';
import { interrupted, repository, runChild, runScript } from './child.mjs';
import { withInstallLock } from './install-lock.mjs';

const OLDEST_NODE = [20, 19];
const OLDEST_PYTHON = [3, 11];
const PYTHON_LOCKS = ['tools/python/embedded.lock', 'trainers/tabular/requirements.lock'];
const CLIENT_LOCKS = ['tools/python/clients.lock'];

const beginning = performance.now();

function say(text) {
  console.log(`[${((performance.now() - beginning) / 1000).toFixed(1).padStart(5)} s] ${text}`);
}

/** An Error whose message alone is shown. */
function failure(message) {
  return Object.assign(new Error(message), { expected: true });
}

async function step(command, args, options, whatFailed) {
  const lastLines = [];
  const code = await runChild(command, args, {
    wholeGroup: true,
    ...options,
    onLine: (line) => {
      lastLines.push(line);
      if (lastLines.length > 15) lastLines.shift();
      options.onLine?.(line);
    },
  });
  if (interrupted) throw failure('Interrupted; the next run continues where this one stopped.');
  if (code !== 0) throw failure(`${lastLines.join('\n')}\n\n${whatFailed}`);
}

function atLeast(version, oldest) {
  const [major, minor] = version.split('.').map(Number);
  return major > oldest[0] || (major === oldest[0] && minor >= oldest[1]);
}

function checkNode() {
  if (atLeast(process.versions.node, OLDEST_NODE)) return;
  throw failure(
    `This is Node ${process.versions.node}, but ${OLDEST_NODE.join('.')} or newer is needed: install it from https://nodejs.org.`,
  );
}

/** Why the packages in node_modules are not those of the lock file; undefined when they are. */
async function npmPackagesFault() {
  const installedText = await readFile(join(repository, 'node_modules', '.package-lock.json'), 'utf8').catch(
    () => null,
  );
  if (installedText === null) return 'none are installed';
  const installed = JSON.parse(installedText).packages;
  const locked = JSON.parse(await readFile(join(repository, 'package-lock.json'), 'utf8')).packages;
  for (const [path, entry] of Object.entries(locked)) {
    if (!path.startsWith('node_modules/') && !path.includes('/node_modules/')) continue;
    const found = installed[path];
    if (found === undefined && !entry.optional && !entry.devOptional && !entry.peer) return `${path} is missing`;
    if (found !== undefined && found.version !== entry.version) return `${path} is another version`;
  }
  return undefined;
}

async function ensureNpmPackages() {
  const fault = await npmPackagesFault();
  if (fault === undefined) return;
  say(`Installing npm packages (${fault}); takes a minute or two`);
  await step(
    process.platform === 'win32' ? 'npm.cmd' : 'npm',
    ['ci', '--no-audit', '--no-fund'],
    // Its install script fetches only files for GPUs.
    { environment: { ONNXRUNTIME_NODE_INSTALL: 'skip' } },
    'npm ci failed (see above): check the network and the npm registry, then run the same command again.',
  );
}

async function outputOf(command, args) {
  const lines = [];
  const code = await runChild(command, args, { wholeGroup: true, onLine: (line) => lines.push(line) }).catch(() => -1);
  return { code, text: lines.join('\n').trim() };
}

async function findPython() {
  const names = ['python3', 'python3.13', 'python3.12', 'python3.11', 'python3.14', 'python'];
  let withoutVenv;
  for (const name of names) {
    const version = await outputOf(name, ['-c', 'import sys; print("%d.%d" % sys.version_info[:2])']);
    if (version.code !== 0 || !atLeast(version.text, OLDEST_PYTHON)) continue;
    // Debian's Python has the module venv, but not ensurepip, which it needs, unless python3-venv is installed.
    const venv = await outputOf(name, ['-c', 'import venv, ensurepip']);
    if (venv.code === 0) return name;
    withoutVenv ??= `${name} (${version.text})`;
  }
  if (withoutVenv !== undefined) {
    throw failure(
      `${withoutVenv} is there but without venv: install it (Debian and Ubuntu: \`apt install python3-venv\`).`,
    );
  }
  throw failure(
    `Python ${OLDEST_PYTHON.join('.')} or newer with venv was not found: install it from https://python.org.`,
  );
}

const pythonEnvironment = resolve(process.env.HEADRACE_PYTHON_ENV || join(repository, '.headrace', 'python'));
const clientsEnvironment = resolve(process.env.HEADRACE_CLIENTS_ENV || join(repository, '.headrace', 'clients'));

function interpreterOf(environment) {
  return process.platform === 'win32' ? join(environment, 'Scripts', 'python.exe') : join(environment, 'bin', 'python');
}

/** The interpreter of the Python environment. */
export const python = interpreterOf(pythonEnvironment);

/** The lock files whose content is not the installed one, with their digests. */
async function stalePythonLocks(environment, locks) {
  const stampFile = join(environment, 'installed-locks.json');
  const stamps = JSON.parse(await readFile(stampFile, 'utf8').catch(() => '{}'));
  const stale = [];
  for (const lock of locks.filter((path) => existsSync(join(repository, path)))) {
    const digest = createHash('sha256')
      .update(await readFile(join(repository, lock)))
      .digest('hex');
    if (stamps[lock] !== digest) stale.push({ lock, digest });
  }
  return { stampFile, stamps, stale };
}

async function ensurePythonEnvironment(environment, locks) {
  const interpreter = interpreterOf(environment);
  const works = existsSync(interpreter) && (await outputOf(interpreter, ['-c', 'import pip'])).code === 0;
  if (works && (await stalePythonLocks(environment, locks)).stale.length === 0) return;
  if (!works) {
    const base = await findPython();
    say(`Making a Python environment in ${environment}`);
    await rm(environment, { recursive: true, force: true });
    await step(base, ['-m', 'venv', environment], {}, `${base} -m venv failed (see above).`);
  }
  const { stampFile, stamps, stale } = await stalePythonLocks(environment, locks);
  for (const { lock, digest } of stale) {
    say(`Installing Python packages of ${lock}`);
    // The locks are complete and every file's digest is in them, so nothing is left to resolve.
    const flags = ['--require-hashes', '--no-deps', '--only-binary', ':all:', '--disable-pip-version-check'];
    await step(
      interpreter,
      ['-m', 'pip', 'install', '--no-input', '--progress-bar', 'off', ...flags, '-r', join(repository, lock)],
      { onLine: (line) => /^\s*(Downloading|Installing)/.test(line) && say(`  ${line.trim().slice(0, 100)}`) },
      `The Python packages of ${lock} could not be installed (see above): check the network and free disk space, then run the same command again.`,
    );
    stamps[lock] = digest;
    await writeFile(stampFile, JSON.stringify(stamps));
  }
}

/** Every project's src compiled to dist: by Nx, which skips what has not changed, or one after the other without it. */
async function ensureBuilt() {
  const nx = join(repository, 'node_modules', 'nx', 'dist', 'bin', 'nx.js');
  const lines = [];
  say('Building the projects');
  const code = await runChild(process.execPath, [nx, 'run-many', '-t', 'build', '--outputStyle=static'], {
    wholeGroup: true,
    environment: { NX_DAEMON: 'false', NX_TUI: 'false' },
    onLine: (line) => lines.push(line),
  });
  if (interrupted) throw failure('Interrupted; the next run continues where this one stopped.');
  if (code === 0) return;
  say('Nx could not build; compiling the projects one by one');
  for (const group of ['libs', 'apps']) {
    for (const name of await readdir(join(repository, group))) {
      if (existsSync(join(repository, group, name, 'src'))) await compileProject(join(group, name));
    }
  }
}

async function compileProject(project) {
  const compiler = join(repository, 'tools', 'compile.mjs');
  const failed = `${project} does not compile (see above).`;
  await step(process.execPath, [compiler, 'src', 'dist'], { cwd: join(repository, project) }, failed);
}

async function ensureKafka() {
  const entry = join(repository, 'libs', 'embedded', 'dist', 'index.js');
  if (!existsSync(entry)) await compileProject(join('libs', 'embedded'));
  const { ensureKafkaJars } = createRequire(import.meta.url)(entry);
  await ensureKafkaJars(({ done, total, coordinate }) => say(`Kafka's jars: ${done} of ${total} (${coordinate})`));
}

/**
 * Installs what the caller needs. Rejects with an Error whose message says in one sentence how to mend it. `kafka`
 * includes `python`, which fetches the jars; `clients` are other people's clients that specs try the gateway with.
 */
export async function ensureInstalled({
  python: wantsPython = true,
  kafka = true,
  build = true,
  clients = false,
} = {}) {
  checkNode();
  if ((wantsPython || kafka) && !existsSync(python)) await findPython(); // before the long downloads, not after them
  await mkdir(join(repository, '.headrace'), { recursive: true });
  await withInstallLock(join(repository, '.headrace', 'install.lock'), say, async () => {
    await ensureNpmPackages();
    if (wantsPython || kafka) await ensurePythonEnvironment(pythonEnvironment, PYTHON_LOCKS);
    if (clients) await ensurePythonEnvironment(clientsEnvironment, CLIENT_LOCKS);
    if (build) await ensureBuilt();
    if (kafka) await ensureKafka();
  });
}

if (process.argv[1] !== undefined && import.meta.url === pathToFileURL(process.argv[1]).href) {
  await runScript(async () => {
    await ensureInstalled({ clients: process.argv.includes('--clients') });
    say('Everything is installed');
    return 0;
  });
}
