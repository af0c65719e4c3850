// Second line against repeats: the last sequence seen of each producer shard.
import type { QueryRunner } from 'typeorm';
import { rows } from './database';
import type { PartitionId } from './positions';

export type Sequences = Map<string, number>;

export async function readSequences(
  runner: QueryRunner,
  id: PartitionId,
  shards: readonly string[],
): Promise<Sequences> {
  if (shards.length === 0) return new Map();
  const found = await rows<{ producer_shard: string; last_sequence: string }>(
    runner,
    `SELECT producer_shard, last_sequence FROM producer_sequences
      WHERE consumer_group = $1 AND topic = $2 AND partition = $3 AND producer_shard = ANY($4)`,
    [id.group, id.topic, id.partition, shards],
  );
  return new Map(found.map((row) => [row.producer_shard, Number(row.last_sequence)]));
}
