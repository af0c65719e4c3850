// The ends of everything that a replaying process would send: counted, and dropped.
import { topicOf } from '@headrace/contracts';
import { encodeEvent } from '../handler-transaction';
import { nowMicros } from '../rfc3339';
import type { BulkMessage, BulkPublisher, Cause } from '../types';

export class Withheld implements BulkPublisher {
  private readonly byTopic = new Map<string, number>();

  /** In place of outbox rows: none is written. A transaction that is tried again counts again. */
  take(rows: readonly { readonly topic: string }[]): Promise<void> {
    for (const { topic } of rows) this.byTopic.set(topic, (this.byTopic.get(topic) ?? 0) + 1);
    return Promise.resolve();
  }

  /** Refuses what a publisher would refuse, so that handlers meet the same faults. */
  async publish<T>(messages: readonly BulkMessage<T>[]): Promise<Cause[]> {
    const causes = messages.map(({ definition, data, id, cause, key }) => {
      const service = 'replay';
      const options = { id, cause, service, timeMicros: nowMicros(), ...(key === undefined ? {} : { key }) };
      const { eventId, correlationId } = encodeEvent(definition, data, options).asCause;
      return { eventId, correlationId };
    });
    await this.take(messages.map(({ definition, stream }) => ({ topic: topicOf(definition.topic, stream) })));
    return causes;
  }

  counts(): { readonly topic: string; readonly events: number }[] {
    return [...this.byTopic].map(([topic, events]) => ({ topic, events })).sort((a, b) => (a.topic < b.topic ? -1 : 1));
  }
}
