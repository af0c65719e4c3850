// How far a group has come: the row that fences zombies and makes effects happen once.
import type { QueryRunner } from 'typeorm';
import { prepared, rows, type Statement } from './database';
import { byteaArray, textArray } from './postgres-arrays';

/** Second line against repeats: the last sequence seen of each producer shard. */
export type Sequences = ReadonlyMap<string, number>;

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

/** What a transaction asks for with its position: of these producer shards and these keys. */
export interface Needs {
  readonly shards: readonly string[];
  readonly keys: readonly Buffer[];
}

export interface LockedPosition extends Position {
  /** Last sequences seen, of the shards that were seen. */
  readonly seen: ReadonlyMap<string, number>;
  /** Those of the keys that must wait, as latin1 strings of their bytes. */
  readonly blocked: ReadonlySet<string>;
}

/*
 * Sequences and blocked keys are as they were when the statement began, before it waited for the lock. That is safe: who held
 * the lock and changed them for this partition moved the position with them, and that one is read behind the lock.
 */
const LOCK: Statement = {
  name: 'headrace_lock_position',
  text: `
    SELECT p.cluster_id, p.next_offset,
           set_config('idle_in_transaction_session_timeout', $4, true), set_config('statement_timeout', $5, true),
           CASE WHEN cardinality($6::text[]) > 0 THEN (
             SELECT json_object_agg(s.producer_shard, s.last_sequence) FROM producer_sequences s
              WHERE s.consumer_group = $1 AND s.topic = $2 AND s.partition = $3 AND s.producer_shard = ANY($6::text[])
           ) END AS seen,
           CASE WHEN cardinality($7::bytea[]) > 0 THEN ARRAY(
             SELECT DISTINCT e.record_key FROM parked_events e
              WHERE e.consumer_group = $1 AND e.topic = $2 AND e.partition = $3 AND e.blocks_key
                AND e.record_key = ANY($7::bytea[])
           ) END AS blocked
      FROM consumer_positions p WHERE p.consumer_group = $1 AND p.topic = $2 AND p.partition = $3 FOR UPDATE OF p`,
};

interface LockedRow {
  readonly cluster_id: string;
  readonly next_offset: string;
  readonly seen: Readonly<Record<string, number>> | null;
  readonly blocked: readonly Buffer[] | null;
}

/** First statement of every handling transaction: takes the row, sets the time limits. Undefined without a row. */
export async function lockPosition(
  runner: QueryRunner,
  id: PartitionId,
  timeouts: Timeouts,
  needs: Needs = { shards: [], keys: [] },
): Promise<LockedPosition | undefined> {
  const [row] = await prepared<LockedRow>(runner, LOCK, [
    id.group,
    id.topic,
    id.partition,
    String(timeouts.idleInTransactionMs),
    String(timeouts.statementMs),
    textArray(needs.shards),
    byteaArray(needs.keys),
  ]);
  return (
    row && {
      clusterId: row.cluster_id,
      next: Number(row.next_offset),
      seen: new Map(Object.entries(row.seen ?? {})),
      blocked: new Set((row.blocked ?? []).map((key) => key.toString('latin1'))),
    }
  );
}

const MOVE: Statement = {
  name: 'headrace_move_position',
  text: `
    WITH seen AS (
      INSERT INTO producer_sequences (consumer_group, topic, partition, producer_shard, last_sequence)
      SELECT $1, $2, $3, s.shard, s.last FROM unnest($6::text[], $7::bigint[]) AS s (shard, last)
      ON CONFLICT (consumer_group, topic, partition, producer_shard)
      DO UPDATE SET last_sequence = EXCLUDED.last_sequence, updated_at = now()
    )
    UPDATE consumer_positions SET next_offset = $5, updated_at = now()
     WHERE consumer_group = $1 AND topic = $2 AND partition = $3 AND next_offset = $4 RETURNING next_offset`,
};

/** Compare and set, with the last sequence seen of each producer shard. */
export async function movePosition(
  runner: QueryRunner,
  id: PartitionId,
  from: number,
  to: number,
  seen: Sequences,
): Promise<void> {
  const moved = await prepared(runner, MOVE, [
    id.group,
    id.topic,
    id.partition,
    from,
    to,
    textArray([...seen.keys()]),
    [...seen.values()],
  ]);
  if (moved.length !== 1) throw new Error(`position of ${describe(id)} was not ${from} any more`);
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
