import {
  Server,
  ServerCredentials,
  type handleUnaryCall,
  type sendUnaryData,
  type ServerUnaryCall,
  type ServiceDefinition,
  type UntypedServiceImplementation,
} from '@grpc/grpc-js';
import { authorise, type Access, type Caller, type TokenTable } from './access';
import { statusOf } from './status';
import { traced, traceparentOf } from './trace';

/** What a method knows about its call besides the request. */
export interface CallContext {
  readonly caller: Caller | undefined;
  /** Milliseconds left until the caller's deadline; Infinity without one. */
  remainingMs(): number;
  /** W3C trace context to continue: the span of this call, or the caller's while no spans are exported; undefined without. */
  traceparent(): string | undefined;
  /** Called when the caller cancels or its deadline falls. */
  onCancelled(listener: () => void): void;
}

/** The promise form of ts-proto's server interface (unary methods). */
export type UnaryMethods<S> = {
  [M in keyof S as S[M] extends handleUnaryCall<infer _Q, infer _R> ? M : never]: S[M] extends handleUnaryCall<
    infer Request,
    infer Response
  >
    ? (request: Request, context: CallContext) => Promise<Response>
    : never;
};

/** One service to mount: ts-proto's definition, an object with its methods, and who may call each of them. */
export interface GrpcService<M extends string = string> {
  readonly definition: ServiceDefinition;
  readonly implementation: Readonly<Record<M, (request: never, context: CallContext) => Promise<unknown>>>;
  readonly access: Readonly<Record<M, Access>>;
  /** Handlers mounted as they are, without token check, promise or error mapping: for public methods on the hottest path. */
  readonly raw?: UntypedServiceImplementation;
}

export interface GrpcLog {
  error(fields: object, message: string): void;
}

/** Pairs a definition with its implementation; the types see that every method has one and an access rule. */
export function grpcService<S>(
  definition: ServiceDefinition,
  implementation: UnaryMethods<S>,
  access: Readonly<Record<keyof UnaryMethods<S> & string, Access>>,
): GrpcService {
  return { definition, implementation: implementation as GrpcService['implementation'], access };
}

const MAX_MESSAGE_BYTES = 16 * 1024 * 1024;

/** A server with all services mounted and bound. Port 0 = chosen by the system. */
export async function startGrpcServer(options: {
  readonly host: string;
  readonly port: number;
  readonly services: readonly GrpcService[];
  readonly tokens: TokenTable;
  readonly log: GrpcLog;
}): Promise<{ readonly server: Server; readonly port: number; close(deadlineMs: number): Promise<void> }> {
  const server = new Server({ 'grpc.max_receive_message_length': MAX_MESSAGE_BYTES });
  for (const service of options.services)
    server.addService(
      service.definition,
      traced(service.definition, { ...handlersOf(service, options.tokens, options.log), ...service.raw }),
    );
  const port = await new Promise<number>((resolve, reject) => {
    server.bindAsync(`${options.host}:${options.port}`, ServerCredentials.createInsecure(), (error, bound) =>
      error ? reject(error) : resolve(bound),
    );
  });
  return {
    server,
    port,
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

function handlersOf(service: GrpcService, tokens: TokenTable, log: GrpcLog): UntypedServiceImplementation {
  const handlers: UntypedServiceImplementation = {};
  for (const method of Object.keys(service.definition)) {
    const implementation = service.implementation[method];
    const access = service.access[method];
    if (!implementation || access === undefined) continue;
    const path = service.definition[method]?.path ?? method;
    const run = implementation.bind(service.implementation);
    handlers[method] = (call: ServerUnaryCall<unknown, unknown>, respond: sendUnaryData<unknown>) => {
      const answerError = (error: unknown): void => {
        const { code, details } = statusOf(error);
        if (!(error instanceof Error && error.name === 'DomainError'))
          log.error({ err: error, method: path }, 'gRPC method failed');
        respond({ code, details });
      };
      try {
        const caller = tokens.callerOf(call.metadata.get('authorization')[0]?.toString());
        authorise(access, caller, path);
        run(call.request as never, new UnaryContext(call, caller)).then(
          (response) => respond(null, response),
          answerError,
        );
      } catch (error) {
        answerError(error);
      }
    };
  }
  return handlers;
}

class UnaryContext implements CallContext {
  constructor(
    private readonly call: ServerUnaryCall<unknown, unknown>,
    readonly caller: Caller | undefined,
  ) {}

  remainingMs(): number {
    const deadline = this.call.getDeadline();
    return deadline === Infinity ? Infinity : Number(deadline) - Date.now();
  }

  traceparent(): string | undefined {
    return traceparentOf(this.call);
  }

  onCancelled(listener: () => void): void {
    this.call.on('cancelled', listener);
  }
}
