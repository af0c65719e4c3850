// A handler call as a consumer span, while spans are exported.
import { isTraceparent, spanRecorder, type RecordedSpan } from '@headrace/tracing';
import { shortName } from './event-trace';
import type { GroupContext } from './group-context';
import { callHandler, type Answer, type Call } from './handler-call';
import type { Handled } from './items';

/** `items` are what the call is given: one, or the run of a batch handler. */
export async function tracedCall(context: GroupContext, items: readonly Handled[], call: Call): Promise<Answer> {
  const span = startSpan(context, items, call);
  if (!span) return callHandler(context.dataSource, call);
  const [first] = items;
  // In a batch each published event follows from the one that it names as its cause, not from the call.
  if (call.route.kind === 'event' && first?.kind === 'event') {
    call.transaction.within({ eventId: first.event.eventId, traceparent: span.traceparent });
  }
  let answer: Answer | undefined;
  try {
    answer = await span.run(() => callHandler(context.dataSource, call));
    return answer;
  } finally {
    span.end(resultOf(answer));
  }
}

function startSpan(context: GroupContext, items: readonly Handled[], { route }: Call): RecordedSpan | undefined {
  const recorder = spanRecorder();
  const first = items[0];
  if (!recorder || !first) return undefined;
  const { record } = first;
  const parents = items.map(traceparentOf).filter(isTraceparent);
  const attributes = {
    'messaging.system': 'kafka',
    'messaging.operation.name': 'process',
    'messaging.consumer.group.name': context.group,
    'messaging.destination.name': record.topic,
    'messaging.destination.partition.id': String(record.partition),
    'messaging.kafka.offset': record.offset,
    'headrace.service': context.service,
  };
  const name = `process ${shortName(route.name)}`;
  // What one event brings about is part of its trace; a batch is a trace of its own that belongs to many.
  if (items.length === 1 && first.kind === 'event') {
    const { eventId, correlationId, type } = first.event;
    return recorder.start(name, {
      kind: 'consumer',
      parent: parents[0],
      attributes: {
        ...attributes,
        'cloudevents.event_id': eventId,
        'cloudevents.event_type': type,
        'headrace.correlation_id': correlationId,
      },
    });
  }
  return recorder.start(name, {
    kind: 'consumer',
    links: parents,
    attributes: { ...attributes, 'messaging.batch.message_count': items.length },
  });
}

function traceparentOf(item: Handled): string | undefined {
  return item.kind === 'event' ? item.event.traceparent : item.record.headers['traceparent']?.toString('latin1');
}

function resultOf(answer: Answer | undefined): Parameters<RecordedSpan['end']>[0] {
  if (!answer) return { fault: 'the call could not be ended' };
  if (answer.kind !== 'answered') return { fault: answer.message };
  const refused = answer.outcomes.filter((outcome) => outcome.kind !== 'done');
  const [first] = refused;
  if (!first) return {};
  const fault = first.kind === 'not-yet' ? `not yet: waits for ${first.waitsFor}` : first.message;
  return { fault, attributes: { 'headrace.refused_count': refused.length, 'headrace.outcome': first.kind } };
}
