// kafkajs copies the list of a partition for each message that it adds: a thousand messages are half a million copies.

interface Choice<M> {
  readonly topic: string;
  readonly partitionMetadata: readonly object[];
  readonly message: M;
}

/** Messages of one topic by the partition that the partitioner chooses, in their order. */
export function groupByPartition<M>(sending: {
  readonly topic: string;
  readonly partitionMetadata: readonly object[];
  readonly messages: readonly M[];
  readonly partitioner: (choice: Choice<M>) => number;
}): Record<number, M[]> {
  const { topic, partitionMetadata, messages, partitioner } = sending;
  const groups: Record<number, M[]> = {};
  if (partitionMetadata.length === 0) return groups;
  for (const message of messages) (groups[partitioner({ topic, partitionMetadata, message })] ??= []).push(message);
  return groups;
}
