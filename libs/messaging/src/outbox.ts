// Events leave through a table, so that they leave if and only if the state change commits.
import { hash } from 'node:crypto';
import type { QueryRunner } from 'typeorm';
import { byteaArray, int4Array, jsonbArray, textArray } from './postgres-arrays';
import type { StoredHeaders } from './stored-record';

export const SHARDS = 8;
export const OUTBOX_CHANNEL_PREFIX = 'headrace_outbox_';

export interface OutboxRow {
  readonly topic: string;
  readonly key: Buffer | null;
  readonly headers: StoredHeaders;
  readonly value: Buffer | null;
}

/** Shard of a key: one owner publishes a shard, so order within a key is the order of commits. */
export function shardOf(key: Buffer | null): number {
  return key === null ? 0 : hash('md5', key, 'buffer').readUInt32BE(0) % SHARDS;
}

/**
 * Writes the rows in one go. The shards' locks are taken in ascending order (no deadlock) before the sequence is drawn
 * and held until the commit is visible: within a shard, sequence order is commit order, and the relay skips nothing.
 */
export async function writeOutbox(runner: QueryRunner, rows: readonly OutboxRow[]): Promise<void> {
  if (rows.length === 0) return;
  const sharded = rows.map((row) => ({ ...row, shard: shardOf(row.key) }));
  const shards = [...new Set(sharded.map((row) => row.shard))].sort((a, b) => a - b);
  await runner.query(
    `SELECT pg_advisory_xact_lock(hashtext(current_schema() || '/outbox-writer'), shard) FROM unnest($1::int[]) AS shard`,
    [shards],
  );
  await runner.query(
    `WITH written AS (
       INSERT INTO outbox (shard, topic, key, headers, value)
       SELECT * FROM unnest($1::int[], $2::text[], $3::bytea[], $4::jsonb[], $5::bytea[])
     ) SELECT pg_notify('${OUTBOX_CHANNEL_PREFIX}' || current_schema(), '')`,
    [
      int4Array(sharded.map((row) => row.shard)),
      textArray(sharded.map((row) => row.topic)),
      byteaArray(sharded.map((row) => row.key)),
      jsonbArray(sharded.map((row) => JSON.stringify(row.headers))),
      byteaArray(sharded.map((row) => row.value)),
    ],
  );
}
