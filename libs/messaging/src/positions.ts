// How far a group has come: the row that fences zombies and makes effects happen once.
import type { QueryRunner } from 'typeorm';
import { affected, rows } from './database';
import type { Sequences } from './sequences';

export interface PartitionId {
  readonly group: string;
  readonly topic: string;
  readonly partition: number;
}

export interface Position {
  readonly clusterId: string;
  /** Of the topic; undefined: not known when the row was written. */
  readonly topicId?: string | undefined;
  readonly next: number;
}

/** Of a transaction that handles events; Postgres ends what takes longer. */
export interface Timeouts {
  readonly idleInTransactionMs: number;
  readonly statementMs: number;
}

/** First statement of every handling transaction: takes the row, sets the time limits. Undefined without a row. */
export async function lockPosition(
  runner: QueryRunner,
  id: PartitionId,
  timeouts: Timeouts,
): Promise<Position | undefined> {
  const [row] = await rows<{ cluster_id: string; next_offset: string }>(
    runner,
    `SELECT cluster_id, next_offset,
            set_config('idle_in_transaction_session_timeout', $4, true), set_config('statement_timeout', $5, true)
       FROM consumer_positions WHERE consumer_group = $1 AND topic = $2 AND partition = $3 FOR UPDATE`,
    [id.group, id.topic, id.partition, String(timeouts.idleInTransactionMs), String(timeouts.statementMs)],
  );
  return row && { clusterId: row.cluster_id, next: Number(row.next_offset) };
}

/** Compare and set, with the last sequence seen of each producer shard. */
export async function movePosition(
  runner: QueryRunner,
  id: PartitionId,
  from: number,
  to: number,
  seen: Sequences,
): Promise<void> {
  const moved = await affected(
    runner,
    `WITH seen AS (
       INSERT INTO producer_sequences (consumer_group, topic, partition, producer_shard, last_sequence)
       SELECT $1, $2, $3, s.shard, s.last FROM unnest($6::text[], $7::bigint[]) AS s (shard, last)
       ON CONFLICT (consumer_group, topic, partition, producer_shard)
       DO UPDATE SET last_sequence = EXCLUDED.last_sequence, updated_at = now()
     )
     UPDATE consumer_positions SET next_offset = $5, updated_at = now()
      WHERE consumer_group = $1 AND topic = $2 AND partition = $3 AND next_offset = $4`,
    [id.group, id.topic, id.partition, from, to, [...seen.keys()], [...seen.values()]],
  );
  if (moved !== 1) throw new Error(`position of ${describe(id)} was not ${from} any more`);
}

/** What a position belongs to. */
export interface LogIdentity {
  readonly clusterId: string;
  /** Undefined where the log has none. */
  readonly topicId: string | undefined;
}

/** Reads the position, creating it at `beginning` for a partition never seen. */
export async function openPosition(
  runner: QueryRunner,
  id: PartitionId,
  identity: LogIdentity,
  beginning: number,
): Promise<Position> {
  await runner.query(
    `INSERT INTO consumer_positions (consumer_group, topic, partition, cluster_id, topic_id, next_offset)
     VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT DO NOTHING`,
    [id.group, id.topic, id.partition, identity.clusterId, identity.topicId ?? null, beginning],
  );
  const [row] = await rows<{ cluster_id: string; topic_id: string | null; next_offset: string }>(
    runner,
    `SELECT cluster_id, topic_id, next_offset FROM consumer_positions
      WHERE consumer_group = $1 AND topic = $2 AND partition = $3`,
    [id.group, id.topic, id.partition],
  );
  if (!row) throw new Error(`position of ${describe(id)} vanished`);
  return { clusterId: row.cluster_id, topicId: row.topic_id ?? undefined, next: Number(row.next_offset) };
}

/** A position that was written before topics had ids here takes the one of today. */
export async function adoptTopic(runner: QueryRunner, id: PartitionId, topicId: string): Promise<void> {
  await runner.query(
    `UPDATE consumer_positions SET topic_id = $4
      WHERE consumer_group = $1 AND topic = $2 AND partition = $3 AND topic_id IS NULL`,
    [id.group, id.topic, id.partition, topicId],
  );
}

/** Why consuming must not begin, or undefined when position and log fit together. */
export function positionFault(
  id: PartitionId,
  position: Position,
  { clusterId, topicId }: LogIdentity,
  log: { readonly low: number; readonly high: number },
): string | undefined {
  if (position.clusterId !== clusterId) {
    return (
      `position of ${describe(id)} belongs to Kafka cluster ${position.clusterId}, but this is ${clusterId}: ` +
      'connect the service to its own cluster, or remove its rows of consumer_positions and producer_sequences'
    );
  }
  if (position.topicId !== undefined && topicId !== undefined && position.topicId !== topicId) {
    return (
      `topic ${id.topic} was deleted and made again: the position of ${describe(id)}, ${position.next}, belongs to the ` +
      `topic with the id ${position.topicId}, but this one has ${topicId}; nothing is skipped silently. Remove the rows ` +
      'of this topic from consumer_positions and producer_sequences to begin anew at its first event'
    );
  }
  if (position.next > log.high) {
    return (
      `position of ${describe(id)} is ${position.next}, but the log ends at ${log.high}: the topic was deleted and ` +
      'made again, or its data was lost; nothing is skipped silently. Restore the log, or remove the rows of this ' +
      'topic from consumer_positions and producer_sequences to begin anew'
    );
  }
  return undefined;
}

export function describe(id: PartitionId): string {
  return `group ${id.group}, topic ${id.topic}, partition ${id.partition}`;
}
