// What the compiler must refuse: `npm run typecheck` fails when one of these becomes possible.
import { events, type EventDefinition } from '@headrace/contracts';
import { DataArrived } from '@headrace/contracts/proto/ingestion/v1/ingestion_events';
import { OnEvent, OnEventBatch } from './handlers';
import type { BulkMessage, HandlerOptions, Outcome, PublishOptions, ReceivedEvent, Transaction } from './types';

const { keyOf: _keyOf, ...withoutKey } = events.DataArrived;
const data = DataArrived.fromPartial({ recordKey: 'k' });
const publish = (transaction: Transaction): void => {
  // @ts-expect-error an event without a key has no place in any order
  transaction.publish(withoutKey, data, { cause: null });
  // @ts-expect-error the key is the definition's: a handler cannot put an event into another order
  transaction.publish(events.DataArrived, data, { cause: null, key: 'other' } satisfies PublishOptions);
  // @ts-expect-error data of another event
  transaction.publish(events.DataRejected, data, { cause: null });
};

describe('the types of messaging', () => {
  it('refuse an event whose order nobody knows', () => {
    // @ts-expect-error a definition says what its key is
    const definition: EventDefinition<DataArrived> = withoutKey;
    // @ts-expect-error also in bulk
    const message: BulkMessage<DataArrived> = { definition: withoutKey, data, id: 'x', cause: null };
    expect([definition, message, publish]).toHaveLength(3);
  });

  it('refuse a handler that does not say what a dead letter means, or takes another event', () => {
    // @ts-expect-error reorder-safe or park-key
    const options: HandlerOptions = {};
    class Handlers {
      // @ts-expect-error another event than the decorator's
      @OnEvent(events.DataRejected, { deadLetter: 'park-key' })
      on(_event: ReceivedEvent<DataArrived>, _transaction: Transaction): Promise<void> {
        return Promise.resolve();
      }

      // @ts-expect-error a batch is answered by a list
      @OnEventBatch(events.DataArrived, { deadLetter: 'park-key' })
      onBatch(_events: ReceivedEvent<DataArrived>[], _transaction: Transaction): Promise<Outcome> {
        return Promise.resolve({ kind: 'done' });
      }
    }
    expect([options, Handlers]).toHaveLength(2);
  });
});
