import { producerOf } from './records';

describe('the producer of what an upstream record becomes', () => {
  const record = { topic: 'orders', partition: 2, offset: 7, timestampMs: 0, key: null, value: null, headers: {} };

  it('is its partition, so that a repeat is recognised by the offset', () => {
    expect(producerOf(record)).toEqual({ shard: 'orders/2', sequence: 7 });
  });

  it('is the redrive, when one brings it behind later records: consumers must not take it for a repeat', () => {
    expect(producerOf({ ...record, redriveOf: 'l1' })).toEqual({ shard: 'orders/2/redrive/l1', sequence: 7 });
  });
});
