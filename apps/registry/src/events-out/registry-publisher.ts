import { topicOf, type EventDefinition } from '@headrace/contracts';
import { nowMicros } from '@headrace/event-time';
import type { Cause, Transaction } from '@headrace/messaging';
import { Injectable } from '@nestjs/common';
import { EventIndexRepository } from '../database/event-index.repository';

/** Publishes this service's events and indexes each one in the same transaction (deployments.v1 is compacted). */
@Injectable()
export class RegistryPublisher {
  constructor(private readonly index: EventIndexRepository) {}

  /** Returns the new event as the cause of what follows from it. */
  async publish<T>(transaction: Transaction, definition: EventDefinition<T>, data: T, cause: Cause): Promise<Cause> {
    const id = transaction.publish(definition, data, { cause });
    await this.index.add(transaction, [
      {
        id,
        type: definition.type,
        topic: topicOf(definition.topic),
        subject: definition.keyOf(data),
        timeMicros: nowMicros(),
        causationId: cause.eventId,
        correlationId: cause.correlationId,
      },
    ]);
    const { correlationId, traceparent } = cause;
    return { eventId: id, correlationId, ...(traceparent === undefined ? {} : { traceparent }) };
  }
}
