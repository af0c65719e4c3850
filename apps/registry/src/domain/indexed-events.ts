// What the index of causation keeps of an event.
import type { EventRef } from '@headrace/contracts/proto/common/v1/common';

export interface IndexedEvent {
  readonly id: string;
  readonly type: string;
  readonly topic: string;
  readonly subject: string;
  readonly timeMicros: number;
  readonly causationId: string;
  readonly correlationId: string;
}

/**
 * The event itself, and the bulk events that its payload names as evidence: no service indexes those one by one, yet
 * chains go through them. They belong to the loop of the event that names them.
 */
export function indexedBy(event: IndexedEvent, evidence: readonly (EventRef | undefined)[]): IndexedEvent[] {
  const named = evidence.flatMap((reference) => {
    if (!reference || reference.id === '') return [];
    const { id, type, topic, timeMicros, causationId } = reference;
    return [{ id, type, topic, subject: '', timeMicros, causationId, correlationId: event.correlationId }];
  });
  const { id, type, topic, subject, timeMicros, causationId, correlationId } = event;
  return [{ id, type, topic, subject, timeMicros, causationId, correlationId }, ...named];
}
