import { spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { mkdir, readFile, rename, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { EmbeddedDependencyError } from './embedded-error';
import { KAFKA_VERSION, readEmbeddedSettings } from './embedded.config';
import { requireSpace } from './folders';
import { pythonCommand } from './python-environment';

const PARALLEL_DOWNLOADS = 4;
const ATTEMPTS = 3;
const ATTEMPT_TIMEOUT_MS = 300_000;
const NEEDED_MIB = 200;

export interface Jar {
  /** group:artifact:version */
  readonly coordinate: string;
  readonly sha256: string;
  readonly fileName: string;
}

export interface JarProgress {
  readonly done: number;
  readonly total: number;
  readonly coordinate: string;
}

/** Reads a lock file: one `group:artifact:version sha256` a line, `#` begins a comment. */
export function parseJarLock(text: string): Jar[] {
  const lines = text.split('\n').filter((line) => line.trim() !== '' && !line.startsWith('#'));
  return lines.map((line) => {
    const [coordinate = '', sha256 = ''] = line.trim().split(/\s+/);
    const [group, artifact, version, ...rest] = coordinate.split(':');
    if (!group || !artifact || !version || rest.length > 0 || !/^[0-9a-f]{64}$/.test(sha256)) {
      throw new Error(`Not a line of a jar lock: "${line}"`);
    }
    return { coordinate, sha256, fileName: `${artifact}-${version}.jar` };
  });
}

async function sha256Of(path: string): Promise<string | undefined> {
  const exists = await stat(path).then(
    (entry) => entry.isFile(),
    () => false,
  );
  if (!exists) return undefined;
  const hash = createHash('sha256');
  await pipeline(createReadStream(path), hash);
  return hash.digest('hex');
}

/** One run of maven-artifact, which knows how coordinates become addresses; its output when it failed. */
function downloadOnce(python: string, coordinate: string, target: string, repository: string | undefined) {
  return new Promise<{ ok: boolean; output: string }>((resolve) => {
    const mirror = repository === undefined ? [] : ['--maven-repo', repository];
    const child = spawn(python, ['-m', 'maven_artifact.main', ...mirror, coordinate, target], {
      stdio: ['ignore', 'pipe', 'pipe'],
      timeout: ATTEMPT_TIMEOUT_MS,
    });
    let output = '';
    for (const stream of [child.stdout, child.stderr]) stream.on('data', (chunk) => (output += String(chunk)));
    child.once('error', (error) => resolve({ ok: false, output: error.message }));
    child.once('close', (code) => resolve({ ok: code === 0, output }));
  });
}

async function fetchJar(jar: Jar, folder: string, python: string, repository: string | undefined): Promise<void> {
  const partial = join(folder, `${jar.fileName}.${process.pid}.partial`);
  let lastOutput = '';
  for (let attempt = 1; attempt <= ATTEMPTS; attempt += 1) {
    await rm(partial, { force: true });
    const { ok, output } = await downloadOnce(python, jar.coordinate, partial, repository);
    lastOutput = output;
    if (!ok) continue;
    const digest = await sha256Of(partial);
    if (digest === jar.sha256) return rename(partial, join(folder, jar.fileName));
    await rm(partial, { force: true });
    throw new EmbeddedDependencyError(
      'digest-mismatch',
      `The repository served another ${jar.coordinate} than the one this project pins (SHA-256 ${digest} instead of ${jar.sha256}): check HEADRACE_MAVEN_REPOSITORY and any proxy in between, nothing was installed.`,
    );
  }
  await rm(partial, { force: true });
  const reason = lastOutput.trim().split('\n').at(-1) ?? 'no reason given';
  throw new EmbeddedDependencyError(
    'download-failed',
    `${jar.coordinate} could not be downloaded in ${ATTEMPTS} attempts (${reason}): check the network or set HEADRACE_MAVEN_REPOSITORY to a mirror, then run the same command again, it continues where it stopped.`,
  );
}

let verifiedFolder: string | undefined;

/**
 * Makes sure that every jar of the lock lies in the cache with the pinned digest, and returns their folder. Fetches
 * only what is missing or damaged; each jar appears under its name only after its digest was checked, so an
 * interrupted run is continued by the next.
 */
export async function ensureKafkaJars(onProgress?: (progress: JarProgress) => void): Promise<string> {
  const { folders, mavenRepository } = readEmbeddedSettings();
  if (verifiedFolder === folders.kafkaJars) return verifiedFolder;
  const jars = parseJarLock(await readFile(folders.kafkaJarsLock, 'utf8'));
  await mkdir(folders.kafkaJars, { recursive: true });
  const missing: Jar[] = [];
  for (const jar of jars) {
    if ((await sha256Of(join(folders.kafkaJars, jar.fileName))) !== jar.sha256) missing.push(jar);
  }
  if (missing.length > 0) {
    await requireSpace(folders.kafkaJars, NEEDED_MIB, `Kafka ${KAFKA_VERSION}`);
    const python = pythonCommand();
    let done = jars.length - missing.length;
    const queue = [...missing];
    const fetchNext = async (): Promise<void> => {
      for (let jar = queue.shift(); jar !== undefined; jar = queue.shift()) {
        await fetchJar(jar, folders.kafkaJars, python, mavenRepository);
        done += 1;
        onProgress?.({ done, total: jars.length, coordinate: jar.coordinate });
      }
    };
    const results = await Promise.allSettled(Array.from({ length: PARALLEL_DOWNLOADS }, fetchNext));
    const failed = results.find((result) => result.status === 'rejected');
    if (failed !== undefined) throw failed.reason;
  }
  verifiedFolder = folders.kafkaJars;
  return verifiedFolder;
}
