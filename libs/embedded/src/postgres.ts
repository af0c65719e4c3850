import { execFile } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { existsSync } from 'node:fs';
import { chmod, chown, mkdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { basename, dirname, join, resolve } from 'node:path';
import { promisify } from 'node:util';
import { EmbeddedDependencyError } from './embedded-error';
import { requireSpace, requireTraversable, type SystemUser } from './folders';
import { endLeftover } from './leftover';
import { type ExitStatus, ManagedProcess, type ProcessPlan } from './managed-process';
import { freePort, requireFreePort } from './ports';
import { postgresBinaries } from './postgres-binaries';
import { postgresUser } from './postgres-user';
import { waitUntilReady } from './wait-until';

const run = promisify(execFile);
const NEEDED_MIB = 256;
const START_TIMEOUT_MS = 30_000;
const ROLE = 'headrace';

export interface PostgresOptions {
  /** Kept between starts; its sibling `logs/` takes the log. */
  readonly dataDirectory: string;
  /** Default: the port of the last start on this folder when it is free, else any free one. */
  readonly port?: number | undefined;
  /** Further settings for the command line, e.g. `{ fsync: 'off' }`. */
  readonly settings?: Readonly<Record<string, string | number>> | undefined;
  /** Told in words what is being done. */
  readonly log?: ((line: string) => void) | undefined;
  /** Told when the server ends without stop() or kill(). */
  readonly onUnexpectedExit?: ((status: ExitStatus) => void) | undefined;
}

export interface EmbeddedPostgres {
  /** postgres://… of the database `postgres`, as a role that may create databases. */
  readonly url: string;
  readonly port: number;
  /** Of the process that runs now; another one after restart(). */
  readonly pid: number;
  readonly logFile: string;
  /** Ends it in order; data is kept. */
  stop(): Promise<void>;
  /** Ends it as a crash would. */
  kill(): Promise<void>;
  /** Starts it again on the same port and data (stops it first when it runs) and waits until it is ready. */
  restart(): Promise<void>;
}

/** The last line of postmaster.pid is how Postgres itself (pg_ctl) tells that connections are accepted. */
export function saysReady(postmasterPid: string, pid: number): boolean {
  const lines = postmasterPid.split('\n');
  return lines[0] === String(pid) && lines[7]?.trim() === 'ready';
}

interface Cluster {
  readonly initdb: string;
  readonly dataDirectory: string;
  readonly clusterFolder: string;
  readonly passwordFile: string;
  readonly user: SystemUser | undefined;
}

/** Makes the cluster under another name and renames it, so that an interrupted attempt is never taken for a cluster. */
async function initialise({ initdb, dataDirectory, clusterFolder, passwordFile, user }: Cluster): Promise<void> {
  const unfinished = `${clusterFolder}.unfinished`;
  await rm(unfinished, { recursive: true, force: true });
  await writeFile(passwordFile, randomBytes(18).toString('base64url'), { mode: 0o600 });
  if (user !== undefined) await chown(passwordFile, user.uid, user.gid);
  const flags = ['--auth=scram-sha-256', '--encoding=UTF8', '--locale=C', '--no-instructions'];
  try {
    await run(initdb, ['-D', unfinished, `--username=${ROLE}`, `--pwfile=${passwordFile}`, ...flags], {
      cwd: dataDirectory,
      ...(user ?? {}),
    });
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    throw new EmbeddedDependencyError('start-failed', `Postgres could not prepare ${clusterFolder}: ${reason}`);
  }
  await rename(unfinished, clusterFolder);
}

async function choosePort(dataDirectory: string, wanted: number | undefined): Promise<number> {
  const file = join(dataDirectory, 'port');
  const last = Number(await readFile(file, 'utf8').catch(() => ''));
  if (wanted !== undefined) await requireFreePort(wanted, 'Postgres');
  const port = wanted ?? (await freePort(last > 0 ? last : undefined));
  await writeFile(file, String(port));
  return port;
}

/**
 * Starts one Postgres on 127.0.0.1 and resolves when it accepts connections. As root it runs as the system user
 * `postgres`. Expected faults are EmbeddedDependencyError.
 */
export async function startPostgres(options: PostgresOptions): Promise<EmbeddedPostgres> {
  const dataDirectory = resolve(options.dataDirectory);
  const logFile = join(dirname(dataDirectory), 'logs', `${basename(dataDirectory)}.log`);
  const binaries = postgresBinaries();
  await mkdir(dataDirectory, { recursive: true });
  await requireSpace(dataDirectory, NEEDED_MIB, 'Postgres');
  const user = await postgresUser();
  if (user !== undefined) {
    await chown(dataDirectory, user.uid, user.gid);
    await requireTraversable(dataDirectory, user, 'its data');
    await requireTraversable(dirname(binaries.postgres), user, 'its programs');
  }
  await chmod(dataDirectory, 0o700);

  const clusterFolder = join(dataDirectory, 'cluster');
  const passwordFile = join(dataDirectory, 'password');
  const pidFile = join(dataDirectory, 'process.json');
  await endLeftover({ name: 'Postgres', dataDirectory, pidFile, stopSignal: 'SIGINT' });
  const port = await choosePort(dataDirectory, options.port);
  if (!existsSync(clusterFolder)) {
    options.log?.('Preparing Postgres’ storage');
    await initialise({ initdb: binaries.initdb, dataDirectory, clusterFolder, passwordFile, user });
  }
  const password = await readFile(passwordFile, 'utf8');

  const settings = {
    listen_addresses: '127.0.0.1',
    unix_socket_directories: '',
    max_connections: 300,
    ...options.settings,
  };
  const plan: ProcessPlan = {
    name: 'Postgres',
    command: binaries.postgres,
    args: [
      '-D',
      clusterFolder,
      '-p',
      String(port),
      ...Object.entries(settings).flatMap(([k, v]) => ['-c', `${k}=${v}`]),
    ],
    dataDirectory,
    pidFile,
    logFile,
    user,
    stopSignal: 'SIGINT', // Postgres' "fast" shutdown: ends open transactions instead of waiting for their clients
  };
  let expectedToEnd = false;

  const launch = async (): Promise<ManagedProcess> => {
    const started = await ManagedProcess.start(plan);
    expectedToEnd = false;
    const ready = async (): Promise<boolean> =>
      saysReady(await readFile(join(clusterFolder, 'postmaster.pid'), 'utf8').catch(() => ''), started.pid);
    await waitUntilReady('Postgres', started, ready, { logFile, timeoutMs: START_TIMEOUT_MS });
    void started.exited.then((status) => {
      if (!expectedToEnd) options.onUnexpectedExit?.(status);
    });
    return started;
  };

  options.log?.(`Starting Postgres on 127.0.0.1:${port}`);
  let child = await launch();

  const stop = async (): Promise<void> => {
    expectedToEnd = true;
    await child.stop();
  };
  return {
    url: `postgres://${ROLE}:${password}@127.0.0.1:${port}/postgres`,
    port,
    get pid() {
      return child.pid;
    },
    logFile,
    stop,
    async kill() {
      expectedToEnd = true;
      await child.kill();
    },
    async restart() {
      await stop();
      await requireFreePort(port, 'Postgres');
      child = await launch();
    },
  };
}
