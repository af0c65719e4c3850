// Decorators of handler methods. They make ordinary Nest event patterns of our transport.
import type { EventDefinition } from '@headrace/contracts';
import { Ctx, EventPattern, Payload } from '@nestjs/microservices';
import type { DeadLetterPolicy, HandlerOptions, Outcome, RawRecord, ReceivedEvent, Transaction } from './types';

export const KAFKA_TRANSPORT = Symbol('headrace-kafka');

export type Binding =
  | { readonly kind: 'event'; readonly definition: EventDefinition<unknown>; readonly options: HandlerOptions }
  | { readonly kind: 'event-batch'; readonly definition: EventDefinition<unknown>; readonly options: HandlerOptions }
  | { readonly kind: 'record-batch'; readonly options: HandlerOptions & { readonly group: string } };

export interface RecordBatchOptions {
  readonly deadLetter: DeadLetterPolicy;
  readonly notYetExpiryMs?: number;
}

export type EventHandler<T> = (event: ReceivedEvent<T>, transaction: Transaction) => Promise<Outcome | void>;
export type EventBatchHandler<T> = (events: ReceivedEvent<T>[], transaction: Transaction) => Promise<Outcome[] | void>;
export type RecordBatchHandler = (records: RawRecord[], transaction: Transaction) => Promise<Outcome[] | void>;

/** A decorator that fits only methods of the given type. */
export type HandlerDecorator<Base> = <H extends Base>(
  target: object,
  key: string | symbol,
  descriptor: TypedPropertyDescriptor<H>,
) => TypedPropertyDescriptor<H>;

/**
 * One event a call. The data is what the codec of the definition makes of it: a handler that needs a part of large messages
 * gives the catalogue's definition with a codec that reads that part.
 * What the handler wrote is undone unless it answers done (or nothing).
 */
export function OnEvent<T>(definition: EventDefinition<T>, options: HandlerOptions): HandlerDecorator<EventHandler<T>> {
  return bind<EventHandler<T>>({ kind: 'event', definition: erase(definition), options });
}

/**
 * Consecutive events of one type and partition, at most a chunk. Nothing returned: all done; else one outcome for each
 * event in their order. The call is one transaction: write nothing for an event that you answer otherwise than done.
 */
export function OnEventBatch<T>(
  definition: EventDefinition<T>,
  options: HandlerOptions,
): HandlerDecorator<EventBatchHandler<T>> {
  return bind<EventBatchHandler<T>>({ kind: 'event-batch', definition: erase(definition), options });
}

/** Undecoded records of the foreign topics of one group (see TopicSubscriptions.setForeign). Outcomes as OnEventBatch. */
export function OnRecordBatch(group: string, options: RecordBatchOptions): HandlerDecorator<RecordBatchHandler> {
  return bind<RecordBatchHandler>({ kind: 'record-batch', options: { ...options, group } });
}

/** An exception of a handler, kept away from Nest's RPC exception layer, which drops stacks. */
const faults = new WeakMap<object, { error: unknown }>();

/** Transactions made by the runner: only for these a handler's exception is taken aside instead of thrown. */
export function expectFault(transaction: Transaction): void {
  faults.set(transaction, { error: undefined });
}

export function takeFault(transaction: Transaction): { error: unknown } | undefined {
  const fault = faults.get(transaction);
  if (fault?.error === undefined) return undefined;
  faults.set(transaction, { error: undefined });
  return fault;
}

function erase<T>(definition: EventDefinition<T>): EventDefinition<unknown> {
  return definition as unknown as EventDefinition<unknown>;
}

type AnyHandler = (argument: never, transaction: Transaction) => Promise<unknown>;

function bind<Base extends AnyHandler>(binding: Binding): HandlerDecorator<Base> {
  return <H extends Base>(target: object, key: string | symbol, descriptor: TypedPropertyDescriptor<H>) => {
    const original = descriptor.value;
    if (original === undefined) throw new TypeError(`${String(key)}: only methods can handle events`);
    const wrapped = async function (this: unknown, argument: never, transaction: Transaction): Promise<unknown> {
      try {
        return await original.call(this, argument, transaction);
      } catch (error) {
        if (!faults.has(transaction)) throw error;
        faults.set(transaction, { error: error ?? new Error('the handler threw nothing') });
        return undefined;
      }
    };
    // Nest looks the method's parameter types up by the function's name.
    Object.defineProperty(wrapped, 'name', { value: original.name });
    for (const name of Reflect.getMetadataKeys(original)) {
      Reflect.defineMetadata(name, Reflect.getMetadata(name, original), wrapped);
    }
    descriptor.value = wrapped as unknown as H;
    Payload()(target, key, 0);
    Ctx()(target, key, 1);
    const pattern = patternOf(binding, `${target.constructor.name}.${String(key)}`);
    EventPattern(pattern, KAFKA_TRANSPORT, { binding })(target, key, descriptor as PropertyDescriptor);
    return descriptor;
  };
}

function patternOf(binding: Binding, method: string): string {
  const what = binding.kind === 'record-batch' ? binding.options.group : binding.definition.type;
  return `${binding.kind} ${what} ${method}`;
}
