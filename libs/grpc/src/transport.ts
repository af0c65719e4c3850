// The two servers that services can be mounted on; they take the same definitions and handlers.
import { performance } from 'node:perf_hooks';
import type { TlsOptions } from 'node:tls';
import { Server, ServerCredentials, type ServiceDefinition, type UntypedServiceImplementation } from '@grpc/grpc-js';
import { defaultLimits, FastGrpcServer } from '@headrace/grpc-fast';
import { admitting, type Admissions } from './admission';
import type { GrpcLog } from './server';

/** `standard`: @grpc/grpc-js. `fast`: @headrace/grpc-fast, for a fraction of the CPU; compressed messages are refused. */
export type GrpcServerKind = 'standard' | 'fast';

/** What a server shows and wants to see, PEM. */
export interface ServerTls {
  readonly certificate: Buffer;
  readonly key: Buffer;
  /** Callers must show a certificate that one of these has signed. Undefined: they show none. */
  readonly clientAuthorities?: Buffer;
}

export interface Mounted {
  readonly definition: ServiceDefinition;
  readonly implementation: UntypedServiceImplementation;
}

export interface BoundServer {
  readonly port: number;
  /** Takes no new calls, finishes those that run, cuts off what is left after the deadline. */
  close(deadlineMs: number): Promise<void>;
}

const MAX_MESSAGE_BYTES = 16 * 1024 * 1024;
const FAULT_LOG_MS = 1_000;

/** Port 0 = chosen by the system. Without `tls` connections are plain HTTP/2. */
export function bindServer(
  kind: GrpcServerKind,
  options: {
    readonly host: string;
    readonly port: number;
    readonly log: GrpcLog;
    readonly tls?: ServerTls | undefined;
    readonly admissions: Admissions;
  },
  mounted: readonly Mounted[],
): Promise<BoundServer> {
  return kind === 'fast' ? bindFast(options, mounted) : bindStandard(options, mounted);
}

async function bindFast(
  { host, port, log, tls, admissions }: Parameters<typeof bindServer>[1],
  mounted: readonly Mounted[],
): Promise<BoundServer> {
  const asked = [...new Set(admissions.values())];
  const server = new FastGrpcServer({
    limits: { maxMessageBytes: MAX_MESSAGE_BYTES },
    ...(tls === undefined ? {} : { tls: tlsOptions(tls) }),
    headersFirst: () => asked.some(({ refusing }) => refusing === true),
    admit: (path, peer) => admissions.get(path)?.refusal(() => peer),
    onError: (error) => log.error({ err: error }, 'gRPC handler failed'),
    onFault: atMostOften(FAULT_LOG_MS, (fault, unsaid) =>
      log.warn?.({ ...fault, unsaid }, 'a gRPC connection was ended: its client broke the protocol or a bound'),
    ),
  });
  for (const { definition, implementation } of mounted) server.addService(definition, implementation);
  const bound = await server.listen(host, port);
  return { port: bound, close: (deadlineMs) => server.close(deadlineMs) };
}

/** As node:tls and node:https take it. */
export function tlsOptions({ certificate: cert, key, clientAuthorities: ca }: ServerTls): TlsOptions {
  return ca === undefined ? { cert, key } : { cert, key, ca, requestCert: true, rejectUnauthorized: true };
}

/** Whoever can make the server write a line can make it write very many. `unsaid`: how many were left out before. */
function atMostOften<T>(everyMs: number, tell: (event: T, unsaid: number) => void): (event: T) => void {
  let last = -Infinity;
  let unsaid = 0;
  return (event) => {
    const now = performance.now();
    if (now - last < everyMs) {
      unsaid += 1;
      return;
    }
    tell(event, unsaid);
    last = now;
    unsaid = 0;
  };
}

async function bindStandard(
  { host, port, tls, admissions }: Parameters<typeof bindServer>[1],
  mounted: readonly Mounted[],
): Promise<BoundServer> {
  const server = new Server({
    'grpc.max_receive_message_length': MAX_MESSAGE_BYTES,
    // As on the fast server; calls beyond it wait in the client. Without a bound one connection could hold any number.
    'grpc.max_concurrent_streams': defaultLimits.maxConcurrentStreams,
    ...(admissions.size === 0 ? {} : { interceptors: [admitting(admissions)] }),
  });
  for (const { definition, implementation } of mounted) server.addService(definition, implementation);
  const bound = await new Promise<number>((resolve, reject) => {
    server.bindAsync(`${host}:${port}`, credentialsOf(tls), (error, chosen) =>
      error ? reject(error) : resolve(chosen),
    );
  });
  return {
    port: bound,
    close: (deadlineMs) =>
      new Promise((resolve) => {
        const force = setTimeout(() => {
          server.forceShutdown();
          resolve();
        }, deadlineMs);
        server.tryShutdown(() => {
          clearTimeout(force);
          resolve();
        });
      }),
  };
}

function credentialsOf(tls: ServerTls | undefined): ServerCredentials {
  if (tls === undefined) return ServerCredentials.createInsecure();
  const { certificate, key, clientAuthorities } = tls;
  const pairs = [{ cert_chain: certificate, private_key: key }];
  return ServerCredentials.createSsl(clientAuthorities ?? null, pairs, clientAuthorities !== undefined);
}
