import { randomUUID } from 'node:crypto';
import { encodeMessage, topicOf, type EventDefinition } from '@headrace/contracts';
import type { EntityManager, QueryRunner } from 'typeorm';
import { rows } from './database';
import { encodeAttributes, follow, sourceOf } from './envelope';
import { traceEvent, type HandledEvent } from './event-trace';
import type { OutboxEvent } from './outbox';
import type { HeaderBlock } from './record-bytes';
import { nowMicros } from './rfc3339';
import type { Cause, PublishOptions, Transaction } from './types';

/** The broker refuses more than 1 MB; headers take their share. */
export const MAX_VALUE_BYTES = 1_000_000;

/** Refused before anything is written: the broker would refuse it for ever. A handler that lets it pass is dead-lettered. */
export class EventTooLarge extends RangeError {
  readonly code = 'event_too_large';

  constructor(
    readonly eventType: string,
    readonly key: string,
    /** Of the encoded data. */
    readonly bytes: number,
    readonly limit: number,
  ) {
    super(`${eventType} of key "${key}": ${bytes} bytes, at most ${limit}`);
    this.name = 'EventTooLarge';
  }
}

/** What one handler call sees of the transaction. Published events wait in `outgoing` until the commit. */
export class HandlerTransaction implements Transaction {
  private closed = false;
  private handled: HandledEvent | undefined;

  constructor(
    private readonly runner: QueryRunner,
    private readonly service: string,
    /** Cause of what is published without one; undefined: it must be given. */
    private readonly cause: Cause | undefined,
    private readonly outgoing: OutboxEvent[],
  ) {}

  get manager(): EntityManager {
    this.mustBeOpen();
    return this.runner.manager;
  }

  query<R = Record<string, unknown>>(sql: string, parameters: readonly unknown[] = []): Promise<R[]> {
    this.mustBeOpen();
    return rows<R>(this.runner, sql, parameters);
  }

  publish<T>(definition: EventDefinition<T>, data: T, options: PublishOptions = {}): string {
    this.mustBeOpen();
    const cause = options.cause === undefined ? this.cause : options.cause;
    if (cause === undefined) {
      throw new TypeError(`${definition.type}: a cause must be given here (null begins a new chain)`);
    }
    const id = options.id ?? randomUUID();
    const { key, headers, value } = encodeEvent(definition, data, {
      id,
      cause,
      service: this.service,
      timeMicros: nowMicros(),
      handled: this.handled,
      ...(options.subject === undefined ? {} : { subject: options.subject }),
    });
    const topic = topicOf(definition.topic, options.stream);
    this.outgoing.push({ topic, key, value, headers, numbered: true });
    return id;
  }

  /** What is published from now on because of this event was published in this span. */
  within(handled: HandledEvent): void {
    this.handled = handled;
  }

  /** A handler that outlives its call (a forgotten await, a deadline) must not touch what follows. */
  close(): void {
    this.closed = true;
  }

  private mustBeOpen(): void {
    if (this.closed) throw new Error('this transaction is over: was a promise not awaited in the handler?');
  }
}

export interface EncodeOptions {
  readonly id: string;
  readonly cause: Cause | null;
  readonly service: string;
  readonly timeMicros: number;
  readonly subject?: string;
  readonly key?: string;
  /** See BulkMessage. */
  readonly trace?: string | null | undefined;
  readonly handled?: HandledEvent | undefined;
}

export interface EncodedEvent {
  readonly key: Buffer;
  readonly headers: HeaderBlock;
  readonly value: Buffer;
  /** For what this event causes. */
  readonly asCause: Required<Cause>;
}

export function encodeEvent<T>(definition: EventDefinition<T>, data: T, options: EncodeOptions): EncodedEvent {
  const key = options.key ?? definition.keyOf(data);
  const value = encodeMessage(definition.codec, data);
  if (value.byteLength > MAX_VALUE_BYTES) {
    throw new EventTooLarge(definition.type, key, value.byteLength, MAX_VALUE_BYTES);
  }
  const { id, cause, service, timeMicros, subject = key } = options;
  const traceparent = traceEvent(definition.type, options);
  const { correlationId, causationId } = follow(cause, id);
  const headers = encodeAttributes({
    id,
    source: sourceOf(service),
    type: definition.type,
    timeMicros,
    subject,
    correlationId,
    causationId,
    traceparent,
  });
  return {
    key: Buffer.from(key, 'utf8'),
    headers,
    value,
    asCause: { eventId: id, correlationId, traceparent },
  };
}
