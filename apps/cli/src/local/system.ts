// The whole system on this machine: Kafka and Postgres (embedded, given by address, or in containers) and six services.
import { mkdir, rm, writeFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import {
  freePort,
  installationFolders,
  pythonCommand,
  startKafka,
  startPostgres,
  type EmbeddedKafka,
  type EmbeddedPostgres,
} from '@headrace/embedded';
import { localCredentials, localPseudonymKey, type LocalCredentials } from './credentials';
import { startContainers } from './containers';
import { Supervisor, type ProcessSpec } from './supervisor';

export const SERVICES = [
  'ingestion',
  'feature-store',
  'training',
  'registry',
  'inference-gateway',
  'monitoring',
] as const;
export type ServiceName = (typeof SERVICES)[number];

export interface LocalSystemOptions {
  /** Everything that lasts: logs of Kafka, database, artifacts, credentials. */
  readonly directory: string;
  readonly say: (line: string) => void;
  readonly docker: boolean;
  /** Addresses that replace a dependency. */
  readonly kafkaBrokers?: string | undefined;
  readonly databaseUrl?: string | undefined;
  readonly logLevel?: string | undefined;
  /** Variables of OpenTelemetry for the services: where spans go, and which. */
  readonly telemetry?: Readonly<Record<string, string>>;
  /** Settings that every service gets besides, such as GATEWAY_LOG_BUFFER. */
  readonly settings?: Readonly<Record<string, string>>;
  /** Aborted: starting is given up and what was started is stopped. */
  readonly signal?: AbortSignal | undefined;
}

export interface Address {
  /** host:port */
  readonly grpc: string;
  /** http://host:port */
  readonly http: string;
  /** http://host:port of the Open Inference Protocol over REST: the gateway's. */
  readonly rest?: string;
}

/** What the CLI needs to reach a running system; written to <directory>/system.json. */
export interface SystemAddresses {
  readonly kafka: string;
  readonly database: string;
  readonly artifacts: string;
  readonly services: Readonly<Record<ServiceName, Address>>;
  readonly credentials: LocalCredentials;
}

export interface LocalSystem {
  readonly addresses: SystemAddresses;
  readonly supervisor: Supervisor;
  /** Pids of everything that runs, for measuring. */
  pids(): number[];
  stop(): Promise<void>;
}

/** What of an environment is for OpenTelemetry: the services read it as everywhere. */
export function telemetryOf(environment: NodeJS.ProcessEnv): Record<string, string> {
  const found: Record<string, string> = {};
  for (const [name, value] of Object.entries(environment)) {
    if (name.startsWith('OTEL_') && value !== undefined) found[name] = value;
  }
  return found;
}

const READY_TIMEOUT_MS = 120_000;

export async function startLocalSystem(options: LocalSystemOptions): Promise<LocalSystem> {
  const directory = resolve(options.directory);
  const { repository } = installationFolders();
  await mkdir(directory, { recursive: true });
  const stopping: (() => Promise<void>)[] = [];
  const stopAll = async (): Promise<void> => {
    for (const stop of stopping.splice(0).reverse()) await stop();
  };
  try {
    const dependencies = await startDependencies(options, directory, stopping);
    options.signal?.throwIfAborted();
    const { credentials, tokensFile } = await localCredentials(directory);
    const artifacts = join(directory, 'artifacts');
    await mkdir(artifacts, { recursive: true });
    const services = await serviceAddresses();
    const addresses: SystemAddresses = {
      kafka: dependencies.kafka,
      database: dependencies.database,
      artifacts,
      services,
      credentials,
    };
    const common = {
      ...options.telemetry,
      ...options.settings,
      PATH: process.env['PATH'] ?? '',
      HOME: process.env['HOME'] ?? '',
      NODE_ENV: 'production',
      KAFKA_BROKERS: addresses.kafka,
      DATABASE_URL: addresses.database,
      HEADRACE_ARTIFACTS: artifacts,
      HEADRACE_TOKENS_FILE: tokensFile,
      HEADRACE_TOKEN: credentials.service,
      HEADRACE_PARENT_WATCH: '1',
      LOG_LEVEL: options.logLevel ?? 'info',
      FEATURE_STORE_ADDRESS: services['feature-store'].grpc,
      GATEWAY_CACHE: join(directory, 'gateway-cache'),
      GATEWAY_PSEUDONYM_KEY: await localPseudonymKey(directory),
      TRAINER_PYTHON: pythonCommand(),
      TRAINER_DIRECTORY: join(repository, 'trainers', 'tabular'),
      TRAINING_WORK_DIRECTORY: join(directory, 'training'),
    };
    const supervisor = new Supervisor({ logDirectory: join(directory, 'logs'), say: options.say });
    stopping.push(() => supervisor.stop());
    options.say(`Starting ${SERVICES.length} services`);
    await supervisor.start(SERVICES.map((name) => specOf(name, repository, services[name], common)));
    await supervisor.ready(READY_TIMEOUT_MS, options.signal);
    const file = join(directory, 'system.json');
    await writeFile(file, JSON.stringify(addresses, null, 2), { mode: 0o600 });
    stopping.push(() => rm(file, { force: true }));
    return {
      addresses,
      supervisor,
      pids: () => [...supervisor.pids().values(), ...dependencies.pids()],
      stop: stopAll,
    };
  } catch (error) {
    await stopAll();
    throw error;
  }
}

interface Dependencies {
  readonly kafka: string;
  readonly database: string;
  pids(): number[];
}

async function startDependencies(
  options: LocalSystemOptions,
  directory: string,
  stopping: (() => Promise<void>)[],
): Promise<Dependencies> {
  if (options.docker && (options.kafkaBrokers === undefined || options.databaseUrl === undefined)) {
    const containers = await startContainers(options.say);
    stopping.push(containers.stop);
    return {
      kafka: options.kafkaBrokers ?? containers.kafka,
      database: options.databaseUrl ?? containers.database,
      pids: () => [],
    };
  }
  // Both start at once; when one fails, the other is stopped by what stands in `stopping`.
  const starting = await Promise.allSettled([
    options.kafkaBrokers === undefined
      ? startKafka({
          dataDirectory: join(directory, 'kafka'),
          log: options.say,
          onUnexpectedExit: () =>
            options.say('Kafka ended unexpectedly: see its log; stop and start again to go on from its data'),
        })
      : Promise.resolve(undefined),
    options.databaseUrl === undefined
      ? startPostgres({ dataDirectory: join(directory, 'postgres'), log: options.say })
      : Promise.resolve(undefined),
  ]);
  const [kafka, postgres] = starting.map((result) => (result.status === 'fulfilled' ? result.value : undefined)) as [
    EmbeddedKafka | undefined,
    EmbeddedPostgres | undefined,
  ];
  if (postgres) stopping.push(() => postgres.stop());
  if (kafka) stopping.push(() => kafka.stop());
  for (const result of starting) if (result.status === 'rejected') throw result.reason;
  return {
    kafka: options.kafkaBrokers ?? kafka?.brokers ?? '',
    database: options.databaseUrl ?? postgres?.url ?? '',
    pids: () => [kafka?.pid, postgres?.pid].filter((pid) => pid !== undefined),
  };
}

async function serviceAddresses(): Promise<Record<ServiceName, Address>> {
  const taken: number[] = [];
  const entries: [ServiceName, Address][] = [];
  for (const name of SERVICES) {
    const grpc = await freePort(undefined, taken);
    taken.push(grpc);
    const http = await freePort(undefined, taken);
    taken.push(http);
    const address: Address = { grpc: `127.0.0.1:${grpc}`, http: `http://127.0.0.1:${http}` };
    if (name !== 'inference-gateway') {
      entries.push([name, address]);
      continue;
    }
    const rest = await freePort(undefined, taken);
    taken.push(rest);
    entries.push([name, { ...address, rest: `http://127.0.0.1:${rest}` }]);
  }
  return Object.fromEntries(entries) as Record<ServiceName, Address>;
}

/**
 * A young generation of 32 MiB instead of 16: what lives as long as one batch dies in it, which saves a tenth of the work of
 * every service on the message path.
 */
const NODE_FLAGS = ['--enable-source-maps', '--max-semi-space-size=32'];

function specOf(
  name: ServiceName,
  repository: string,
  address: Address,
  common: Readonly<Record<string, string>>,
): ProcessSpec {
  return {
    name,
    command: process.execPath,
    args: [...NODE_FLAGS, join(repository, 'apps', name, 'dist', 'main.js')],
    environment: {
      ...common,
      GRPC_PORT: portOf(address.grpc),
      HTTP_PORT: portOf(address.http),
      ...(address.rest === undefined ? {} : { GATEWAY_REST_PORT: portOf(address.rest) }),
    },
    directory: repository,
    readyUrl: `${address.http}/readyz`,
  };
}

function portOf(address: string): string {
  return address.slice(address.lastIndexOf(':') + 1);
}
