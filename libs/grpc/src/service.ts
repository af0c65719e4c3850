// What a service on a gRPC server is: its definition, its methods, and who may call them.
import type { handleUnaryCall, ServiceDefinition, UntypedServiceImplementation } from '@grpc/grpc-js';
import type { Access, Caller } from './access';
import type { Admission } from './admission';

/** What a method knows about its call besides the request. */
export interface CallContext {
  readonly caller: Caller | undefined;
  /** Milliseconds left until the caller's deadline; Infinity without one. */
  remainingMs(): number;
  /** W3C trace context to continue: the span of this call, or the caller's while no spans are exported; undefined without. */
  traceparent(): string | undefined;
  /** Address of the connection that the call came by. */
  peer(): string;
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
  /** Handlers mounted without promise or error mapping: streams, and methods on the hottest path. */
  readonly raw?: UntypedServiceImplementation;
  /** Who may call the raw ones; undefined: anybody. */
  readonly rawAccess?: Access;
  /** Of methods that may be refused before their message is read. */
  readonly admission?: Readonly<Record<string, Admission>>;
}

/** Pairs a definition with its implementation; the types see that every method has one and an access rule. */
export function grpcService<S>(
  definition: ServiceDefinition,
  implementation: UnaryMethods<S>,
  access: Readonly<Record<keyof UnaryMethods<S> & string, Access>>,
): GrpcService {
  return { definition, implementation: implementation as GrpcService['implementation'], access };
}
