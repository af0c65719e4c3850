import type { EventDefinition } from '@headrace/contracts';
import type { EntityManager } from 'typeorm';

/** What caused something: set by the library on everything published while handling it. */
export interface Cause {
  readonly eventId: string;
  readonly correlationId: string;
  /**
   * W3C trace context that it belongs to. To keep a cause, keep this as it is: the span that follows from it is found by
   * trace and event id.
   */
  readonly traceparent?: string;
}

/** One event as a handler sees it. */
export interface ReceivedEvent<T = unknown> extends Cause {
  readonly type: string;
  readonly source: string;
  readonly subject: string;
  /** CloudEvents time, microseconds since the epoch. */
  readonly timeMicros: number;
  /** Event that caused this one; empty when it came from outside. */
  readonly causationId: string;
  /** Who wrote it and its rising number there: how repeats are recognised. */
  readonly producer: { readonly shard: string; readonly sequence: number };
  readonly topic: string;
  readonly partition: number;
  readonly offset: number;
  readonly key: string;
  readonly data: T;
}

/** A record of a foreign topic (upstream systems), undecoded. */
export interface RawRecord {
  readonly topic: string;
  readonly partition: number;
  readonly offset: number;
  /** Broker timestamp, milliseconds since the epoch. */
  readonly timestampMs: number;
  readonly key: Buffer | null;
  readonly value: Buffer | null;
  readonly headers: Readonly<Record<string, Buffer>>;
  /**
   * Set when a redrive brings the record again: the letter's id. What is published from it needs an identity of its own,
   * or consumers take it for a repeat of what came after it.
   */
  readonly redriveOf?: string;
}

/**
 * What became of an event. A thrown error is an unknown fault: tried a bounded number of times, then dead-lettered;
 * database and broker outages, deadlocks and serialization conflicts are recognised and treated as transient.
 */
export type Outcome =
  | { readonly kind: 'done' }
  /** Can never succeed: dead-lettered at once. `code` is stable snake_case. */
  | { readonly kind: 'rejected'; readonly code: string; readonly message: string }
  /** Refers to something whose event is still on its way: parked, tried again, dead-lettered when it expires. */
  | { readonly kind: 'not-yet'; readonly waitsFor: string }
  /** Trying again later can help: the partition pauses and backs off without limit. */
  | { readonly kind: 'transient'; readonly message: string };

/** The only thing a handler may touch. All of it commits with the consumer's position, or none. */
export interface Transaction {
  readonly manager: EntityManager;
  query<R = Record<string, unknown>>(sql: string, parameters?: readonly unknown[]): Promise<R[]>;
  /**
   * Writes an outbox row (at commit). Returns the new event's id. The cause is the event being handled, unless given.
   * In a batch handler and outside handlers it must be given; `null` begins a new chain.
   */
  publish<T>(definition: EventDefinition<T>, data: T, options?: PublishOptions): string;
}

export interface PublishOptions {
  readonly cause?: Cause | null;
  /** Fixed id, for events whose identity is a function of their cause. Default: a new UUID. */
  readonly id?: string;
  readonly subject?: string;
  /** Stream, for topics with {stream} in their name. */
  readonly stream?: string;
}

/** Runs work that no event started (a command, a timer, a finished job) in one transaction with its outbox rows. */
export interface UnitOfWork {
  run<R>(work: (transaction: Transaction) => Promise<R>): Promise<R>;
}

/** What a dead letter means for later events of the same key. */
export type DeadLetterPolicy =
  /** Later events go on. */
  | 'reorder-safe'
  /** Later events of the key wait for the redrive. */
  | 'park-key';

/** What a group does with an event whose type the catalogue does not have: a newer producer's, or somebody's mistake. */
export type UnknownTypes =
  /** It goes to the group's dead letters, and can be redriven when the type is known. */
  | 'dead-letter'
  /** It is passed over, as an event that the group has no handler for. */
  | 'ignore';

export interface HandlerOptions {
  readonly deadLetter: DeadLetterPolicy;
  /** Consumer group; default: the service's name. Handlers of one group share one position for each partition. */
  readonly group?: string;
  /** How long a not-yet may wait. Default 10 minutes. */
  readonly notYetExpiryMs?: number;
  /** Holds for the whole group: its handlers say the same or nothing. Default `dead-letter`. */
  readonly unknownTypes?: UnknownTypes;
}

export interface BulkMessage<T> {
  readonly definition: EventDefinition<T>;
  readonly data: T;
  /** Stable identity, a function of the origin. */
  readonly id: string;
  readonly producer: { readonly shard: string; readonly sequence: number };
  readonly cause: Cause | null;
  /**
   * W3C trace context that the event continues instead of its cause's: that of an upstream record, of a caller. Ignored
   * when it is not valid; null begins a trace.
   */
  readonly trace?: string | null;
  readonly stream?: string;
  /** Default: the definition's key of the data. */
  readonly key?: string;
  /** Fixed partition (markers that every partition gets); default: by key. */
  readonly partition?: number;
  readonly timeMicros?: number;
}

/**
 * Publishes without outbox rows what is a function of its origin. Resolves when all brokers acknowledged, with the events
 * in the order of the messages: as causes of what follows from them.
 */
export interface BulkPublisher {
  publish<T>(messages: readonly BulkMessage<T>[]): Promise<Cause[]>;
}

/** One event of a topic read outside a group (broadcast or range). */
export type LogEvent = ReceivedEvent;

export interface BroadcastSubscription {
  /** Resolves when everything that stood on the topic at the start was delivered. */
  readonly caughtUp: Promise<void>;
  close(): Promise<void>;
}

/** Reading the log without a position: no effects, any number of readers. */
export interface LogReader {
  /** All partitions from the beginning, then live. For compacted topics. Repeats by producer sequence are dropped. */
  broadcast(topic: string, onEvent: (event: LogEvent) => void): Promise<BroadcastSubscription>;
  /** End offset (next to be written) of each partition. Empty when the topic does not exist. */
  endOffsets(topic: string): Promise<Map<number, number>>;
  /** Events with from ≤ offset < to, for each partition in order. Repeats by producer sequence are dropped. */
  readRange(
    topic: string,
    ranges: ReadonlyMap<number, { readonly from: number; readonly to: number }>,
    onBatch: (events: LogEvent[]) => Promise<void> | void,
  ): Promise<void>;
}
