// Where a partition is read from: the database says, the log must agree.
import type { KafkaClient } from './kafka-client';
import { affected } from './database';
import type { GroupContext } from './group-context';
import { describe, openPosition, positionFault, type PartitionId } from './positions';
import { topicOffsets, type TopicOffsets } from './topic-offsets';

/** Consuming must not begin: the position and the log do not belong together. */
export class PositionRefused extends Error {}

/** Positions of these partitions of one topic; created at the log's beginning for partitions never seen. */
export async function openPartitions(
  context: GroupContext,
  client: KafkaClient,
  topic: string,
  partitions: readonly number[],
): Promise<Map<number, number>> {
  const admin = await client.admin();
  let logs = await topicOffsets(admin, topic);
  const positions = new Map<number, number>();
  const runner = context.dataSource.createQueryRunner();
  try {
    for (const partition of partitions) {
      const id: PartitionId = { group: context.group, topic, partition };
      let log = boundsOf(logs, id);
      const position = await openPosition(runner, id, context.clusterId, log.low);
      if (position.next > log.high) {
        // Another instance may have gone on since the end was asked for: only an end younger than the position counts.
        logs = await topicOffsets(admin, topic);
        log = boundsOf(logs, id);
      }
      const fault = positionFault(id, position, context.clusterId, log);
      if (fault !== undefined) throw new PositionRefused(fault);
      if (position.next < log.low) {
        context.logger.error(
          { ...id, position: position.next, logBegins: log.low },
          'the log was shortened by its retention before it was read: events are lost to this group',
        );
        await affected(
          runner,
          `UPDATE consumer_positions SET next_offset = $5
            WHERE consumer_group = $1 AND topic = $2 AND partition = $3 AND next_offset = $4`,
          [id.group, topic, partition, position.next, log.low],
        );
      }
      positions.set(partition, Math.max(position.next, log.low));
    }
    return positions;
  } finally {
    await runner.release();
  }
}

function boundsOf(logs: TopicOffsets, id: PartitionId): { readonly low: number; readonly high: number } {
  const entry = logs.find((log) => log.partition === id.partition);
  if (!entry) throw new PositionRefused(`${describe(id)}: the topic has no such partition`);
  return { low: Number(entry.low), high: Number(entry.high) };
}
