// Where a partition is read from: the database says, the log must agree.
import { affected } from './database';
import type { GroupContext } from './group-context';
import type { EventLog, PartitionOffsets } from './log/port';
import { adoptTopic, describe, openPosition, positionFault, type PartitionId } from './positions';

/** Consuming must not begin: the position and the log do not belong together. */
export class PositionRefused extends Error {}

export interface OpenedTopic {
  /** Undefined where the log has no ids. */
  readonly topicId: string | undefined;
  /** Where each partition goes on, and where its log ended just now. */
  readonly positions: ReadonlyMap<number, { readonly next: number; readonly end: number }>;
}

/** Positions of these partitions of one topic; created at the log's beginning for partitions never seen. */
export async function openPartitions(
  context: GroupContext,
  log: EventLog,
  topic: string,
  partitions: readonly number[],
): Promise<OpenedTopic> {
  // Before the offsets: of a topic that is made again in between, the end is what does not fit.
  const topicId = (await log.topicIds([topic])).get(topic);
  const identity = { clusterId: context.clusterId, topicId };
  let offsets = await log.offsets(topic);
  const positions = new Map<number, { next: number; end: number }>();
  const runner = context.dataSource.createQueryRunner();
  try {
    for (const partition of partitions) {
      const id: PartitionId = { group: context.group, topic, partition };
      let bounds = boundsOf(offsets, id);
      const position = await openPosition(runner, id, identity, bounds.low);
      if (position.next > bounds.high) {
        // Another instance may have gone on since the end was asked for: only an end younger than the position counts.
        offsets = await log.offsets(topic);
        bounds = boundsOf(offsets, id);
      }
      const fault = positionFault(id, position, identity, bounds);
      if (fault !== undefined) throw new PositionRefused(fault);
      if (position.topicId === undefined && topicId !== undefined) await adoptTopic(runner, id, topicId);
      if (position.next < bounds.low) {
        context.logger.error(
          { ...id, position: position.next, logBegins: bounds.low },
          'the log was shortened by its retention before it was read: events are lost to this group',
        );
        await affected(
          runner,
          `UPDATE consumer_positions SET next_offset = $5
            WHERE consumer_group = $1 AND topic = $2 AND partition = $3 AND next_offset = $4`,
          [id.group, topic, partition, position.next, bounds.low],
        );
      }
      positions.set(partition, { next: Math.max(position.next, bounds.low), end: bounds.high });
    }
    return { topicId, positions };
  } finally {
    await runner.release();
  }
}

function boundsOf(offsets: readonly PartitionOffsets[], id: PartitionId): PartitionOffsets {
  const bounds = offsets.find(({ partition }) => partition === id.partition);
  if (!bounds) throw new PositionRefused(`${describe(id)}: the topic has no such partition`);
  return bounds;
}
