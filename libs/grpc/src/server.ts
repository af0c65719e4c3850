import { type sendUnaryData, type ServerUnaryCall, type UntypedServiceImplementation } from '@grpc/grpc-js';
import { authorise, type Caller, type TokenTable } from './access';
import type { Admission, Admissions } from './admission';
import { healthService } from './health';
import { reflectionServices } from './reflection';
import type { CallContext, GrpcService } from './service';
import { statusOf } from './status';
import { traced, traceparentOf } from './trace';
import { bindServer, type BoundServer, type GrpcServerKind, type ServerTls } from './transport';

export interface GrpcLog {
  error(fields: object, message: string): void;
  warn?(fields: object, message: string): void;
}

/** A server with all services, health and reflection mounted and bound. Port 0 = chosen by the system. */
export async function startGrpcServer(options: {
  readonly host: string;
  readonly port: number;
  readonly services: readonly GrpcService[];
  readonly tokens: TokenTable;
  readonly log: GrpcLog;
  /** What grpc.health.v1 answers; undefined: ready as soon as it is bound. */
  readonly isReady?: () => boolean;
  /** Undefined: standard. */
  readonly server?: GrpcServerKind;
  /** Undefined: plain connections. */
  readonly tls?: ServerTls | undefined;
}): Promise<BoundServer> {
  return bindServer(
    options.server ?? 'standard',
    { ...options, admissions: admissionsOf(options.services) },
    withStandardServices(options.services, options.isReady).map((service) => ({
      definition: service.definition,
      implementation: traced(service.definition, {
        ...handlersOf(service, options.tokens, options.log),
        ...rawHandlersOf(service, options.tokens),
      }),
    })),
  );
}

function admissionsOf(services: readonly GrpcService[]): Admissions {
  const admissions = new Map<string, Admission>();
  for (const { definition, admission = {} } of services) {
    for (const [method, one] of Object.entries(admission)) {
      const path = definition[method]?.path;
      if (path === undefined) throw new Error(`an admission of "${method}", which the service does not have`);
      admissions.set(path, one);
    }
  }
  return admissions;
}

function withStandardServices(
  services: readonly GrpcService[],
  isReady: () => boolean = () => true,
): readonly GrpcService[] {
  const definitions = services.map(({ definition }) => definition);
  const health = healthService(definitions, isReady);
  return [...services, health, ...reflectionServices([...definitions, health.definition])];
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

/** As they are when anybody may call them. */
function rawHandlersOf(
  { definition, raw = {}, rawAccess = 'public' }: GrpcService,
  tokens: TokenTable,
): UntypedServiceImplementation {
  if (rawAccess === 'public') return raw;
  const handlers: UntypedServiceImplementation = {};
  for (const [method, handler] of Object.entries(raw)) {
    const path = definition[method]?.path ?? method;
    const run = handler as (call: RawCall, respond?: sendUnaryData<unknown>) => void;
    handlers[method] = (call: RawCall, respond?: sendUnaryData<unknown>) => {
      try {
        authorise(rawAccess, tokens.callerOf(call.metadata.get('authorization')[0]?.toString()), path);
      } catch (error) {
        if (respond) respond(statusOf(error));
        else call.emit('error', statusOf(error));
        return;
      }
      run(call, respond);
    };
  }
  return handlers;
}

/** Streams get no callback: their status is the error that they emit. */
type RawCall = Pick<ServerUnaryCall<unknown, unknown>, 'metadata' | 'emit'>;

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

  peer(): string {
    return this.call.getPeer();
  }

  onCancelled(listener: () => void): void {
    this.call.on('cancelled', listener);
  }
}
