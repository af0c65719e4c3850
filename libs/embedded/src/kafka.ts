import { execFile } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { existsSync } from 'node:fs';
import { mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import { basename, dirname, join, resolve } from 'node:path';
import { promisify } from 'node:util';
import { EmbeddedDependencyError } from './embedded-error';
import { requireSpace } from './folders';
import { javaCommand } from './java';
import { endLeftover } from './leftover';
import { ensureKafkaJars, type JarProgress } from './kafka-jars';
import { answersMetadata } from './kafka-probe';
import { serverProperties } from './kafka-properties';
import { type ExitStatus, ManagedProcess, type ProcessPlan } from './managed-process';
import { freePort, requireFreePort } from './ports';
import { waitUntilReady } from './wait-until';

const run = promisify(execFile);
const NEEDED_MIB = 512;
const PORT_ATTEMPTS = 3;
const START_TIMEOUT_MS = 60_000;

export interface KafkaOptions {
  /** Kept between starts; its sibling `logs/` takes the log. */
  readonly dataDirectory: string;
  /** Default: the port of the last start on this folder when it is free, else any free one. */
  readonly port?: number | undefined;
  /** Further lines of server.properties, which win over ours. */
  readonly properties?: Readonly<Record<string, string | number | boolean>> | undefined;
  /** Told of each jar that was downloaded. */
  readonly onProgress?: ((progress: JarProgress) => void) | undefined;
  /** Told in words what is being done. */
  readonly log?: ((line: string) => void) | undefined;
  /** Told when the broker ends without stop() or kill(). */
  readonly onUnexpectedExit?: ((status: ExitStatus) => void) | undefined;
}

export interface EmbeddedKafka {
  /** host:port, as clients take it. */
  readonly brokers: string;
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

interface Ports {
  readonly port: number;
  readonly controllerPort: number;
}

async function choosePorts(dataDirectory: string, wanted: number | undefined): Promise<Ports> {
  const file = join(dataDirectory, 'ports.json');
  const text = await readFile(file, 'utf8').catch(() => '{}');
  const last: Partial<Ports> = JSON.parse(text);
  if (wanted !== undefined) await requireFreePort(wanted, 'Kafka');
  const port = wanted ?? (await freePort(last.port));
  const ports = { port, controllerPort: await freePort(last.controllerPort, [port]) };
  await writeFile(file, JSON.stringify(ports));
  return ports;
}

async function formatStorage(java: string, classPath: string, folder: string, propertiesFile: string): Promise<void> {
  const clusterId = randomBytes(16).toString('base64url');
  // In one word: an id that begins with a hyphen would be taken for an option.
  const format = ['format', '--standalone', `--cluster-id=${clusterId}`, '-c', propertiesFile];
  await rm(folder, { recursive: true, force: true }); // what an interrupted attempt left
  try {
    await run(java, ['-Xmx256m', '-XX:TieredStopAtLevel=1', '-cp', classPath, 'kafka.tools.StorageTool', ...format]);
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    throw new EmbeddedDependencyError('start-failed', `Kafka's storage at ${folder} could not be prepared: ${reason}`);
  }
}

/**
 * Starts one Kafka node (KRaft) on 127.0.0.1 and resolves when a client can use it. Fetches Kafka's jars first when
 * they are missing. Expected faults are EmbeddedDependencyError.
 */
export async function startKafka(options: KafkaOptions): Promise<EmbeddedKafka> {
  const dataDirectory = resolve(options.dataDirectory);
  const logFile = join(dirname(dataDirectory), 'logs', `${basename(dataDirectory)}.log`);
  const jars = await ensureKafkaJars(options.onProgress);
  const java = await javaCommand();
  await mkdir(dataDirectory, { recursive: true });
  await requireSpace(dataDirectory, NEEDED_MIB, 'Kafka');

  const classPath = join(jars, '*');
  const logDirectory = join(dataDirectory, 'log');
  const propertiesFile = join(dataDirectory, 'server.properties');
  const plan: ProcessPlan = {
    name: 'Kafka',
    command: java,
    args: [
      '-Xms64m',
      '-Xmx512m',
      '-XX:+UseSerialGC',
      '-XX:TieredStopAtLevel=1',
      '-Dorg.slf4j.simpleLogger.defaultLogLevel=warn',
      '-Dorg.slf4j.simpleLogger.showDateTime=true',
      '-Dorg.slf4j.simpleLogger.dateTimeFormat=yyyy-MM-dd HH:mm:ss.SSS',
      '-cp',
      classPath,
      'kafka.Kafka',
      propertiesFile,
    ],
    dataDirectory,
    pidFile: join(dataDirectory, 'process.json'),
    logFile,
    stopSignal: 'SIGTERM',
  };
  let expectedToEnd = false;
  let ports: Ports = { port: 0, controllerPort: 0 };

  const launch = async (): Promise<ManagedProcess> => {
    const child = await ManagedProcess.start(plan);
    expectedToEnd = false;
    await waitUntilReady('Kafka', child, () => answersMetadata('127.0.0.1', ports.port), {
      logFile,
      timeoutMs: START_TIMEOUT_MS,
    });
    void child.exited.then((status) => {
      if (!expectedToEnd) options.onUnexpectedExit?.(status);
    });
    return child;
  };

  const prepare = async (): Promise<void> => {
    ports = await choosePorts(dataDirectory, options.port);
    const ownProperties = serverProperties({ ...ports, logDirectory });
    const further = Object.entries(options.properties ?? {}).map(([name, value]) => `${name}=${value}\n`);
    await writeFile(propertiesFile, ownProperties + further.join(''));
    if (existsSync(join(logDirectory, 'meta.properties'))) return;
    options.log?.('Preparing Kafka’s storage');
    await formatStorage(java, classPath, logDirectory, propertiesFile);
  };

  await endLeftover(plan); // before ports are chosen: it may hold the ones of the last start
  let child: ManagedProcess;
  for (let attempt = 1; ; attempt += 1) {
    await prepare();
    options.log?.(`Starting Kafka on 127.0.0.1:${ports.port}`);
    try {
      child = await launch();
      break;
    } catch (error) {
      // Between the choice of a free port and Kafka's use of it seconds pass, in which another program may take it.
      if (options.port !== undefined || attempt >= PORT_ATTEMPTS || !lostItsPort(error)) throw error;
      options.log?.('Another program took the port meanwhile, choosing another one');
    }
  }

  const stop = async (): Promise<void> => {
    expectedToEnd = true;
    await child.stop();
  };
  return {
    brokers: `127.0.0.1:${ports.port}`,
    port: ports.port,
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
      await requireFreePort(ports.port, 'Kafka');
      child = await launch();
    },
  };
}

function lostItsPort(error: unknown): boolean {
  return error instanceof EmbeddedDependencyError && /\.bind\(|BindException|already in use/i.test(error.message);
}
