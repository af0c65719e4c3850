import { groupByPartition } from './kafkajs-grouping';

// Jest has its own module registry, so this is kafkajs' own.
// eslint-disable-next-line @typescript-eslint/no-require-imports
const theirs = require('kafkajs/src/producer/groupMessagesPerPartition.js') as typeof groupByPartition;

describe('groupByPartition', () => {
  const messages = Array.from({ length: 20 }, (_, n) => ({ n }));
  const partitioner = ({ message }: { message: { n: number } }): number => (message.n * 7) % 3;

  it.each([
    ['some partitions', [{}, {}, {}]],
    ['none', []],
  ])('groups like kafkajs: %s', (_what, partitionMetadata) => {
    const sending = { topic: 't', partitionMetadata, messages, partitioner };
    expect(groupByPartition(sending)).toEqual(theirs(sending));
  });
});
