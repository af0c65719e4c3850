// A gRPC server over HTTP/2 on sockets, for the definitions and handlers of grpc-js. What it bounds: ServerLimits.
import { createServer, type AddressInfo, type Server as NetServer, type Socket } from 'node:net';
import { createServer as createTlsServer, type TLSSocket, type TlsOptions } from 'node:tls';
import { status, type ServiceDefinition, type UntypedServiceImplementation } from '@grpc/grpc-js';
import { ByteBudget } from './budget';
import { newCall, type Handler, type Method } from './calls';
import { Connection } from './connection';
import { Deadlines } from './deadlines';
import type { CallFault } from './message-reader';
import { defaultLimits, type ServerLimits } from './protocol';
import type { RequestHead } from './request-head';
import { Stream } from './stream';

export interface FastGrpcOptions {
  readonly limits?: Partial<ServerLimits>;
  /** Key, certificate and what else node:tls takes; without it connections are plain HTTP/2 ("h2c with prior knowledge"). */
  readonly tls?: TlsOptions;
  /** How often the times of connections are looked at: limits in milliseconds are kept that exactly. */
  readonly sweepMs?: number;
  /** Asked when the headers of a call have come; what it gives is the call's status, and its message is not looked at. */
  readonly admit?: (path: string, peer: string) => CallFault | undefined;
  /** Asked at each call. True: callers are told to send headers first, and of a message no more than its beginning until it is let in. */
  readonly headersFirst?: () => boolean;
  /** A handler threw, or the server itself has a fault. */
  readonly onError?: (error: unknown) => void;
  /** A connection was ended because its client broke the protocol or a bound: the error code of HTTP/2 and why. */
  readonly onFault?: (fault: { readonly code: number; readonly message: string; readonly peer: string }) => void;
}

const DEFAULT_SWEEP_MS = 1_000;
const GRPC = /^application\/grpc($|[+;])/;

export class FastGrpcServer {
  readonly limits: ServerLimits;
  readonly budget: ByteBudget;
  readonly deadlines = new Deadlines(Date.now);
  /** Milliseconds, moved on by each sweep. */
  coarseNow = Date.now();
  private readonly methods = new Map<string, Method>();
  private readonly connections = new Set<Connection>();
  private readonly listener: NetServer;
  private sweeper: NodeJS.Timeout | undefined;
  private closing = false;
  private whenEmpty: (() => void) | undefined;

  constructor(private readonly options: FastGrpcOptions = {}) {
    this.limits = { ...defaultLimits, ...options.limits };
    this.budget = new ByteBudget(this.limits.maxBufferedBytes);
    // allowHalfOpen stays false: a client that has closed its side reads no answers in gRPC.
    this.listener = options.tls
      ? createTlsServer({
          minVersion: 'TLSv1.2',
          ...options.tls,
          ALPNProtocols: ['h2'],
          handshakeTimeout: this.limits.handshakeTimeoutMs,
        }).on('secureConnection', (socket) => this.acceptSecure(socket))
      : createServer((socket) => this.accept(socket));
    this.listener.maxConnections = this.limits.maxConnections;
    this.listener.on('tlsClientError', (_error: Error, socket: Socket) => socket.destroy());
  }

  /** Open connections and the bytes that wait in them. */
  get state(): { readonly connections: number; readonly calls: number; readonly bufferedBytes: number } {
    let calls = 0;
    for (const connection of this.connections) calls += connection.streams.size;
    return { connections: this.connections.size, calls, bufferedBytes: this.budget.usedBytes };
  }

  /** As of grpc-js. Methods without a handler answer UNIMPLEMENTED. */
  addService(definition: ServiceDefinition, implementation: UntypedServiceImplementation): void {
    for (const [name, method] of Object.entries(definition)) {
      const handler = implementation[name] ?? implementation[method.originalName ?? ''];
      if (typeof handler !== 'function') continue;
      if (this.methods.has(method.path)) throw new Error(`${method.path} is mounted twice`);
      this.methods.set(method.path, { definition: method, handler: handler.bind(implementation) as Handler });
    }
  }

  /** Binds; port 0 lets the system choose. Returns the port. */
  listen(host: string, port: number): Promise<number> {
    return new Promise((resolve, reject) => {
      this.listener.once('error', reject);
      this.listener.listen(port, host, () => {
        this.listener.off('error', reject);
        this.listener.on('error', (error) => this.onError(error));
        this.sweeper = setInterval(() => this.sweep(), this.options.sweepMs ?? DEFAULT_SWEEP_MS);
        this.sweeper.unref();
        resolve((this.listener.address() as AddressInfo).port);
      });
    });
  }

  /** Takes no new connections or calls, finishes those that run, and cuts off what is left after `deadlineMs`. */
  async close(deadlineMs: number): Promise<void> {
    this.closing = true;
    this.listener.close();
    if (this.connections.size > 0) {
      await new Promise<void>((resolve) => {
        const force = setTimeout(resolve, deadlineMs);
        this.whenEmpty = () => {
          clearTimeout(force);
          resolve();
        };
        for (const connection of this.connections) connection.leave();
      });
    }
    for (const connection of this.connections) connection.terminate();
    clearInterval(this.sweeper);
  }

  // For connections

  open(connection: Connection, id: number, head: RequestHead, remoteEnded: boolean): Stream {
    if (this.options.headersFirst) connection.receiving.setHeadersFirst(this.options.headersFirst());
    const method = this.methods.get(head.path);
    const stream = new Stream(connection, id, head, !method?.definition.requestStream);
    stream.remoteEnded = remoteEnded;
    connection.streams.add(stream);
    if (head.tooLarge)
      stream.fail({
        code: status.RESOURCE_EXHAUSTED,
        details: `headers beyond ${this.limits.maxHeaderListBytes} bytes`,
      });
    else if (head.method !== 'POST') stream.refusal = { httpStatus: 405, why: 'gRPC calls are POST requests' };
    else if (!GRPC.test(head.contentType))
      stream.refusal = { httpStatus: 415, why: 'content-type must be application/grpc' };
    else if (!method)
      stream.fail({ code: status.UNIMPLEMENTED, details: `The server does not implement the method ${head.path}` });
    else if (Number.isNaN(head.timeoutMs))
      stream.fail({ code: status.INTERNAL, details: 'Invalid grpc-timeout value' });
    else {
      const refusal = this.options.admit?.(head.path, connection.peer);
      if (refusal) {
        stream.fail(refusal);
        return stream;
      }
      stream.listener = newCall(stream, method);
      stream.letIn();
      if (head.timeoutMs !== undefined) {
        stream.deadline = Date.now() + head.timeoutMs;
        this.deadlines.add(stream, stream.deadline);
      }
    }
    return stream;
  }

  forget(connection: Connection): void {
    if (this.connections.delete(connection) && this.connections.size === 0) this.whenEmpty?.();
  }

  onError(error: unknown): void {
    this.options.onError?.(error);
  }

  countFault(code: number, message: string, peer: string): void {
    this.options.onFault?.({ code, message, peer });
  }

  private acceptSecure(socket: TLSSocket): void {
    if (socket.alpnProtocol === 'h2') this.accept(socket);
    else socket.destroy();
  }

  private accept(socket: Socket): void {
    if (this.closing) {
      socket.destroy();
      return;
    }
    const connection = new Connection(this, socket, `${socket.remoteAddress ?? ''}:${socket.remotePort ?? ''}`);
    this.connections.add(connection);
  }

  private sweep(): void {
    const now = Date.now();
    const elapsedMs = Math.max(0, now - this.coarseNow);
    this.coarseNow = now;
    for (const connection of this.connections) connection.sweep(now, elapsedMs);
  }
}
