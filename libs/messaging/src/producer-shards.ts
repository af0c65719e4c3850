// Producer shards that end: those of one process each. Others (an outbox, an upstream partition) go on for ever.
import type { DataSource } from 'typeorm';
import type { PartitionId } from './positions';

const OF_PROCESS = 'process/';
/**
 * Nobody publishes the same again so long after the first time: who could, had it in memory, and would have waited for the
 * broker all the while.
 */
const KEPT_DAYS = 30;

/** Shard of what one process publishes from its memory: with its end nothing more comes. `process` is unique. */
export function processShard(process: string): string {
  return `${OF_PROCESS}${process}`;
}

/**
 * Forgets the sequences of processes that ended long ago: each start of a process makes new ones. `logMs` is the time at which
 * the records were written that the group has come to: by the clock alone a group that stood still would forget too early.
 */
export async function forgetProcesses(dataSource: DataSource, id: PartitionId, logMs: number): Promise<void> {
  await dataSource.query(
    `DELETE FROM producer_sequences
      WHERE consumer_group = $1 AND topic = $2 AND partition = $3 AND producer_shard LIKE '${OF_PROCESS}%'
        AND updated_at < to_timestamp($4::float8 / 1000) - make_interval(days => ${KEPT_DAYS})`,
    [id.group, id.topic, id.partition, logMs],
  );
}
