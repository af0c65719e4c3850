// The objects that handlers of grpc-js are given, on a stream of this server.
import { EventEmitter } from 'node:events';
import { Duplex } from 'node:stream';
import { type Metadata, type MethodDefinition, status } from '@grpc/grpc-js';
import { metadataOf } from './request-head';
import type { Stream, StreamListener } from './stream';

/** Any of grpc-js's four kinds of handlers. */
export type Handler = (call: unknown, respond?: Respond) => void;
/** As grpc-js calls it: an error, or a message with trailing metadata. */
export type Respond = (error: unknown, value?: unknown, trailer?: Metadata) => void;

export interface Method {
  readonly definition: MethodDefinition<unknown, unknown>;
  readonly handler: Handler;
}

export function newCall(stream: Stream, method: Method): StreamListener {
  const { requestStream, responseStream } = method.definition;
  return requestStream || responseStream ? new StreamingCall(stream, method) : new UnaryCall(stream, method);
}

/** What an error of a handler tells the caller. As grpc-js: without a code it is UNKNOWN. */
function statusOf(error: unknown): { code: number; details: string; metadata: Metadata | undefined } {
  const known = (typeof error === 'object' && error !== null ? error : {}) as {
    readonly code?: unknown;
    readonly details?: unknown;
    readonly message?: unknown;
    readonly metadata?: Metadata | null;
  };
  const details = known.details ?? known.message;
  return {
    code: typeof known.code === 'number' && Number.isInteger(known.code) ? known.code : status.UNKNOWN,
    details: typeof details === 'string' ? details : '',
    metadata: known.metadata ?? undefined,
  };
}

/** The usual call: as light as it can be, what handlers rarely use is made when they do. */
class UnaryCall implements StreamListener {
  request: unknown;
  cancelled = false;
  private message: Buffer | undefined;
  private ownMetadata: Metadata | undefined;
  private emitter: EventEmitter | undefined;
  private running = false;

  constructor(
    private readonly stream: Stream,
    private readonly method: Method,
  ) {}

  get metadata(): Metadata {
    return (this.ownMetadata ??= metadataOf(this.stream.head));
  }

  getDeadline(): number {
    return this.stream.deadline;
  }

  getPath(): string {
    return this.stream.head.path;
  }

  getHost(): string {
    return this.stream.head.authority;
  }

  getPeer(): string {
    return this.stream.connection.peer;
  }

  sendMetadata(metadata: Metadata): void {
    this.stream.sendHead(metadata);
  }

  /** Of the events of grpc-js's call there is "cancelled". */
  on(event: 'cancelled', listener: () => void): this {
    (this.emitter ??= new EventEmitter()).on(event, listener);
    return this;
  }

  once(event: 'cancelled', listener: () => void): this {
    (this.emitter ??= new EventEmitter()).once(event, listener);
    return this;
  }

  off(event: 'cancelled', listener: () => void): this {
    this.emitter?.off(event, listener);
    return this;
  }

  removeListener(event: 'cancelled', listener: () => void): this {
    return this.off(event, listener);
  }

  onMessage(bytes: Buffer): boolean {
    if (this.message) {
      this.stream.fail({ code: status.INTERNAL, details: 'the request holds more than one message' });
      return false;
    }
    this.message = bytes;
    return true;
  }

  onEnd(): void {
    const { message, method, stream } = this;
    if (!message) {
      stream.sendStatus(status.INTERNAL, 'the request holds no message');
      return;
    }
    this.message = undefined;
    try {
      this.request = method.definition.requestDeserialize(message);
    } catch (error) {
      stream.sendStatus(status.INTERNAL, `Error deserializing request: ${statusOf(error).details}`);
      return;
    }
    this.running = true;
    try {
      method.handler(this, (error, value, trailer) => this.respond(error, value, trailer));
    } catch (error) {
      stream.connection.server.onError(error);
      this.respond({ code: status.UNKNOWN, details: 'the handler failed' });
    }
  }

  onCancelled(): void {
    if (this.cancelled) return;
    this.cancelled = true;
    if (this.running) this.stream.connection.abandoned += 1;
    this.emitter?.emit('cancelled', 'cancelled');
  }

  private respond(error: unknown, value?: unknown, trailer?: Metadata): void {
    if (!this.running) return;
    this.running = false;
    if (this.cancelled) {
      this.stream.connection.abandoned -= 1;
      return;
    }
    if (error) {
      const { code, details, metadata } = statusOf(error);
      this.stream.sendStatus(code, details, metadata ?? trailer);
      return;
    }
    let message: Buffer;
    try {
      message = this.method.definition.responseSerialize(value);
    } catch (fault) {
      this.stream.sendStatus(status.INTERNAL, `Error serializing response: ${statusOf(fault).details}`);
      return;
    }
    if (!trailer) {
      this.stream.answerOnce(message);
      return;
    }
    this.stream.sendMessage(message);
    this.stream.sendStatus(status.OK, '', trailer);
  }
}

const MESSAGES_AHEAD = 16;

/** The other three kinds: a stream of objects each way, with the back-pressure of both windows. */
class StreamingCall extends Duplex implements StreamListener {
  request: unknown;
  cancelled = false;
  private ownMetadata: Metadata | undefined;
  private trailer: Metadata | undefined;
  private running = false;
  private started = false;

  constructor(
    private readonly call: Stream,
    private readonly method: Method,
  ) {
    super({ objectMode: true, highWaterMark: MESSAGES_AHEAD, emitClose: true });
    // As with grpc-js: an error of the handler's stream is the status of the call.
    this.on('error', (error) => this.finish(error));
    if (method.definition.requestStream) this.start();
  }

  get metadata(): Metadata {
    return (this.ownMetadata ??= metadataOf(this.call.head));
  }

  getDeadline(): number {
    return this.call.deadline;
  }

  getPath(): string {
    return this.call.head.path;
  }

  getHost(): string {
    return this.call.head.authority;
  }

  getPeer(): string {
    return this.call.connection.peer;
  }

  sendMetadata(metadata: Metadata): void {
    this.call.sendHead(metadata);
  }

  /** Of grpc-js: `end(trailingMetadata)`. A handler of a stream of answers has no other last argument. */
  override end(...args: unknown[]): this {
    const [last] = args;
    if (last !== undefined && typeof last !== 'function') this.trailer = last as Metadata;
    return super.end();
  }

  onMessage(bytes: Buffer): boolean {
    let message: unknown;
    try {
      message = this.method.definition.requestDeserialize(bytes);
    } catch (error) {
      this.call.fail({
        code: status.INTERNAL,
        details: `Error deserializing request: ${statusOf(error).details}`,
      });
      return false;
    }
    if (this.method.definition.requestStream) return this.push(message);
    if (this.request !== undefined) {
      this.call.fail({ code: status.INTERNAL, details: 'the request holds more than one message' });
      return false;
    }
    this.request = message;
    return true;
  }

  onEnd(): void {
    if (!this.method.definition.requestStream) {
      if (this.request === undefined) this.call.sendStatus(status.INTERNAL, 'the request holds no message');
      else this.start();
    }
    this.push(null);
  }

  onCancelled(): void {
    if (this.cancelled) return;
    this.cancelled = true;
    if (this.running) this.emit('cancelled', 'cancelled');
    this.running = false;
    this.destroy();
  }

  override _read(): void {
    this.call.resumeReading();
  }

  override _write(message: unknown, _encoding: BufferEncoding, done: (error?: Error | null) => void): void {
    let bytes: Buffer;
    try {
      bytes = this.method.definition.responseSerialize(message);
    } catch (error) {
      this.call.fail({ code: status.INTERNAL, details: `Error serializing response: ${statusOf(error).details}` });
      done();
      return;
    }
    this.call.sendMessage(bytes, () => done());
  }

  override _final(done: (error?: Error | null) => void): void {
    this.running = false;
    if (this.method.definition.responseStream) this.call.sendStatus(status.OK, '', this.trailer);
    done();
  }

  private start(): void {
    if (this.started) return;
    this.started = true;
    this.running = true;
    // After the constructor: the handler is given a whole object.
    process.nextTick(() => {
      if (this.cancelled) return;
      try {
        this.method.handler(this, (error, value, trailer) => this.respond(error, value, trailer));
      } catch (error) {
        this.call.connection.server.onError(error);
        this.finish({ code: status.UNKNOWN, details: 'the handler failed' });
      }
    });
  }

  /** Of a stream of requests with one answer. */
  private respond(error: unknown, value?: unknown, trailer?: Metadata): void {
    if (!this.running) return;
    this.running = false;
    if (error) {
      this.finish(error, trailer);
      return;
    }
    let message: Buffer;
    try {
      message = this.method.definition.responseSerialize(value);
    } catch (fault) {
      this.finish({ code: status.INTERNAL, details: `Error serializing response: ${statusOf(fault).details}` });
      return;
    }
    this.call.sendMessage(message);
    this.call.sendStatus(status.OK, '', trailer);
  }

  private finish(error: unknown, trailer?: Metadata): void {
    this.running = false;
    const { code, details, metadata } = statusOf(error);
    this.call.sendStatus(code, details, metadata ?? trailer);
  }
}
