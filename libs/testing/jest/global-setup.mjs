// Before the integration specs: a Kafka and a Postgres, whose addresses the workers find in their environment.
import { spawnSync } from 'node:child_process';
import { mkdirSync, readdirSync, statSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { withInstallLock } from '../../../tools/install-lock.mjs';

const repository = resolve(dirname(fileURLToPath(import.meta.url)), '..', '..', '..');
const say = (line) => process.stderr.write(`${line}\n`);

function newestIn(folder) {
  const files = readdirSync(folder, { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile());
  return Math.max(0, ...files.map((entry) => statSync(join(entry.parentPath, entry.name)).mtimeMs));
}

/** This file runs before jest's own compiling, so it uses the built libraries, and builds those that are out of date. */
function buildWhenStale(library) {
  const folder = join(repository, 'libs', library);
  let built = 0;
  try {
    built = statSync(join(folder, 'dist', 'index.js')).mtimeMs;
  } catch (error) {
    if (error.code !== 'ENOENT') throw error;
  }
  if (newestIn(join(folder, 'src')) <= built) return;
  const compiler = join(repository, 'tools', 'compile.mjs');
  const { status } = spawnSync(process.execPath, [compiler, 'src', 'dist'], { cwd: folder, stdio: 'inherit' });
  if (status !== 0) throw new Error(`libs/${library} does not compile (see above).`);
}

export default async function globalSetup() {
  mkdirSync(join(repository, '.headrace'), { recursive: true });
  await withInstallLock(join(repository, '.headrace', 'install.lock'), say, () =>
    ['embedded', 'testing', 'contracts', 'messaging'].forEach(buildWhenStale),
  );
  const { startTestSystem } = createRequire(import.meta.url)('../dist/test-system.js');
  const system = await startTestSystem(say);
  process.env.KAFKA_BROKERS = system.kafkaBrokers;
  process.env.DATABASE_URL = system.databaseUrl;
  globalThis.headraceTestSystem = system;
  for (const [signal, number] of [
    ['SIGINT', 2],
    ['SIGTERM', 15],
  ]) {
    process.once(signal, () => system.stop().finally(() => process.exit(128 + number)));
  }
}
