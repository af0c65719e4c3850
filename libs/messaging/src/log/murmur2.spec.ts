import { randomBytes } from 'node:crypto';
import { Partitioners } from 'kafkajs';
import { partitionOf } from '../memory/memory-topic';

describe('the partition of a key', () => {
  it("is the one that Kafka's clients choose", () => {
    const choose = Partitioners.DefaultPartitioner();
    const keys = [Buffer.alloc(0), ...Array.from({ length: 500 }, (_, index) => randomBytes(index % 70))];
    for (const partitions of [1, 3, 12]) {
      const partitionMetadata = Array.from({ length: partitions }, (_, partitionId) => ({
        partitionErrorCode: 0,
        partitionId,
        leader: 1,
        replicas: [1],
        isr: [1],
      }));
      for (const key of keys) {
        const chosen = choose({ topic: 't', partitionMetadata, message: { key, value: null } });
        expect([key.toString('hex'), partitionOf(key, partitions)]).toEqual([key.toString('hex'), chosen]);
      }
    }
  });
});
