// Where an event stands in a trace. Each event is a span of its own, whose id is a function of the event's id; its parent is
// the span of the event that caused it, or of the call in which that one is handled.
import { eventTraceparent, isSampled, isTraceparent, spanRecorder } from '@headrace/tracing';
import type { OutboxEvent } from './outbox';
import type { HeaderBlock } from './record-bytes';
import { parseMicros } from './rfc3339';
import type { Cause } from './types';

/** The event that a handler has in hand, and the span of that call. */
export interface HandledEvent {
  readonly eventId: string;
  readonly traceparent: string;
}

export interface TracedEvent {
  readonly id: string;
  readonly cause: Cause | null;
  readonly service: string;
  readonly trace?: string | null | undefined;
  readonly handled?: HandledEvent | undefined;
}

/** The event's `traceparent`; recorded as a span that ends at once when spans are exported. */
export function traceEvent(type: string, event: TracedEvent): string {
  const { id, cause, trace, handled } = event;
  const recorder = spanRecorder();
  if (!recorder) return eventTraceparent(id, trace === undefined ? cause?.traceparent : (trace ?? undefined));
  const span = recorder.start(`create ${shortName(type)}`, {
    kind: 'producer',
    eventId: id,
    parent: trace === undefined ? parentOf(cause, handled) : (trace ?? undefined),
    attributes: {
      'messaging.system': 'kafka',
      'messaging.operation.name': 'create',
      'cloudevents.event_id': id,
      'cloudevents.event_type': type,
      'headrace.service': event.service,
      'headrace.correlation_id': cause?.correlationId ?? id,
    },
  });
  span.end();
  return span.traceparent;
}

/** The broker has acknowledged the event: a span from its creation until now shows how long the outbox held it. */
export function traceSent({ topic, headers, numbered }: OutboxEvent): void {
  const recorder = spanRecorder();
  // A dead letter has the headers of the event that it was.
  if (!recorder || !numbered) return;
  const { traceparent, time, type } = traceHeaders(headers);
  if (time === undefined || type === undefined || !isTraceparent(traceparent) || !isSampled(traceparent)) return;
  const createdMicros = parseMicros(time);
  recorder
    .start(`send ${shortName(type)}`, {
      kind: 'producer',
      parent: traceparent,
      ...(createdMicros === undefined ? {} : { startMs: createdMicros / 1000 }),
      attributes: {
        'messaging.system': 'kafka',
        'messaging.operation.name': 'send',
        'messaging.destination.name': topic,
        'cloudevents.event_type': type,
      },
    })
    .end();
}

function traceHeaders(block: HeaderBlock): Record<'traceparent' | 'time' | 'type', string | undefined> {
  const { traceparent, ce_time: time, ce_type: type } = block.toRecord();
  return { traceparent: traceparent?.toString('latin1'), time: time?.toString('utf8'), type: type?.toString('utf8') };
}

function parentOf(cause: Cause | null, handled: HandledEvent | undefined): string | undefined {
  if (!cause) return undefined;
  if (handled?.eventId === cause.eventId) return handled.traceparent;
  return isTraceparent(cause.traceparent) ? eventTraceparent(cause.eventId, cause.traceparent) : undefined;
}

/** "headrace.training.v1.ModelTrained" → "ModelTrained". */
export function shortName(type: string): string {
  return type.slice(type.lastIndexOf('.') + 1);
}
