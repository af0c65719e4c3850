// How the CLI finds a system: the environment, else system.json of a local one.
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { DefinitionServiceClient } from '@headrace/contracts/proto/definitions/v1/definitions_service';
import { FeatureServiceClient } from '@headrace/contracts/proto/features/v1/features_service';
import { InferenceClient } from '@headrace/contracts/proto/inference/v1/inference_service';
import { IngestionServiceClient } from '@headrace/contracts/proto/ingestion/v1/ingestion_service';
import { MonitoringServiceClient } from '@headrace/contracts/proto/monitoring/v1/monitoring_service';
import { RegistryServiceClient } from '@headrace/contracts/proto/registry/v1/registry_service';
import { TrainingServiceClient } from '@headrace/contracts/proto/training/v1/training_service';
import { installationFolders } from '@headrace/embedded';
import { authorization, createClient, isServiceError, unary } from '@headrace/grpc';
import type { Client, Metadata, ServiceError } from '@grpc/grpc-js';
import { SERVICES, type ServiceName, type SystemAddresses } from './local/system';

const DEFAULT_TIMEOUT_MS = 15_000;

/** Where local systems keep their data. */
export function localDirectory(name: 'up' | 'demo'): string {
  return join(installationFolders().repository, '.headrace', name);
}

/** Addresses of one service in the environment, such as HEADRACE_FEATURE_STORE_ADDRESS=host:port. */
function addressVariable(service: ServiceName): string {
  return `HEADRACE_${service.toUpperCase().replaceAll('-', '_')}_ADDRESS`;
}

/** The same for HTTP, such as HEADRACE_MONITORING_HTTP=http://host:port. */
function httpVariable(service: ServiceName): string {
  return addressVariable(service).replace(/_ADDRESS$/, '_HTTP');
}

export interface Connection {
  readonly kafka: () => string;
  readonly address: (service: ServiceName) => string;
  /** Base URL of the service's HTTP. */
  readonly http: (service: ServiceName) => string;
  /** Folder of the artifact store. */
  readonly artifacts: () => string;
  readonly token: (role: 'operator' | 'approver') => string | undefined;
}

/** A running local system's file, or undefined. */
export function readSystemFile(): SystemAddresses | undefined {
  for (const name of ['up', 'demo'] as const) {
    const file = join(localDirectory(name), 'system.json');
    if (existsSync(file)) return JSON.parse(readFileSync(file, 'utf8')) as SystemAddresses;
  }
  return undefined;
}

export function connect(environment: NodeJS.ProcessEnv, system = readSystemFile()): Connection {
  return {
    kafka: () => {
      const brokers = environment['KAFKA_BROKERS'] ?? system?.kafka;
      if (brokers === undefined) {
        throw new Error('no running system found: start one with "npm run up", or set KAFKA_BROKERS=host:port');
      }
      return brokers;
    },
    address: (service) => {
      const address = environment[addressVariable(service)] ?? system?.services[service].grpc;
      if (address === undefined) {
        throw new Error(
          `no running system found: start one with "npm run up", or set ${addressVariable(service)}=host:port`,
        );
      }
      return address;
    },
    http: (service) => {
      const variable = httpVariable(service);
      const url = environment[variable] ?? system?.services[service].http;
      if (url === undefined) {
        throw new Error(`no running system found: start one with "npm run up", or set ${variable}=http://host:port`);
      }
      return url.replace(/\/+$/, '');
    },
    artifacts: () => {
      const folder = environment['HEADRACE_ARTIFACTS'] ?? system?.artifacts;
      if (folder === undefined) throw new Error('the artifact store is needed: set HEADRACE_ARTIFACTS to its folder');
      return folder;
    },
    token: (role) => environment['HEADRACE_TOKEN'] ?? system?.credentials[role],
  };
}

/** Typed clients of all services, made when first used. Calls carry the operator's token unless told otherwise. */
export class Clients {
  /** By service and generated constructor: those have no names of their own. */
  private readonly open = new Map<ServiceName, Map<unknown, Client>>();

  constructor(private readonly connection: Connection) {}

  get ingestion() {
    return this.client('ingestion', IngestionServiceClient);
  }
  get features() {
    return this.client('feature-store', FeatureServiceClient);
  }
  get training() {
    return this.client('training', TrainingServiceClient);
  }
  get registry() {
    return this.client('registry', RegistryServiceClient);
  }
  get inference() {
    return this.client('inference-gateway', InferenceClient);
  }
  get monitoring() {
    return this.client('monitoring', MonitoringServiceClient);
  }
  definitions(owner: string) {
    const service = SERVICES.find((name) => name === owner);
    if (!service) throw new Error(`${owner} is no service`);
    return this.client(service, DefinitionServiceClient);
  }

  call<Request, Response>(
    method: (
      request: Request,
      metadata: Metadata,
      options: { deadline: number },
      callback: (error: ServiceError | null, response: Response) => void,
    ) => unknown,
    request: Request,
    options: { readonly as?: 'operator' | 'approver'; readonly timeoutMs?: number } = {},
  ): Promise<Response> {
    return unary(method, request, {
      timeoutMs: options.timeoutMs ?? DEFAULT_TIMEOUT_MS,
      metadata: authorization(this.connection.token(options.as ?? 'operator')),
    });
  }

  close(): void {
    for (const ofService of this.open.values()) for (const client of ofService.values()) client.close();
    this.open.clear();
  }

  private client<C extends Client>(service: ServiceName, constructor: Parameters<typeof createClient<C>>[0]): C {
    const ofService = this.open.get(service) ?? new Map<unknown, Client>();
    this.open.set(service, ofService);
    const existing = ofService.get(constructor);
    if (existing) return existing as C;
    const created = createClient(constructor, { address: this.connection.address(service) }, true);
    ofService.set(constructor, created);
    return created;
  }
}

/** Of kafkajs, when no broker can be reached. */
const NO_BROKER: ReadonlySet<string> = new Set(['KafkaJSConnectionError', 'KafkaJSNumberOfRetriesExceeded']);

/** What a person reads when a call failed. */
export function explain(error: unknown): string {
  if (isServiceError(error)) return error.details;
  if (!(error instanceof Error)) return String(error);
  return NO_BROKER.has(error.name) ? `Kafka does not answer: ${error.message}` : error.message;
}
