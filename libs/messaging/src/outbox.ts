// Events leave through a table, so that they leave if and only if the state change commits.
import { hash } from 'node:crypto';
import type { QueryRunner } from 'typeorm';
import { prepared, type Statement } from './database';
import { packEvents, sizeOfPacked, type PackedEvent } from './packed-events';
import { byteaArray, int4Array, textArray } from './postgres-arrays';

export const SHARDS = 8;
export const OUTBOX_CHANNEL_PREFIX = 'headrace_outbox_';
/** Events of a row: each row takes so many numbers at once, its events have its sequence and those that follow. */
export const NUMBERS_OF_ROW = 512;
const ROW_BYTES = 256_000;

export interface OutboxEvent extends PackedEvent {
  readonly topic: string;
}

/** Events of one shard and topic that were committed together. */
interface OutboxRow {
  readonly shard: number;
  readonly topic: string;
  readonly events: OutboxEvent[];
  bytes: number;
}

/** Keys come again and again: their shards are kept, for as many as that and no longer ones. */
const MOST_KEYS = 10_000;
const LONGEST_KEY = 100;
const shardOfKey = new Map<string, number>();

/** Shard of a key: one owner publishes a shard, so order within a key is the order of commits. */
export function shardOf(key: Buffer | null): number {
  if (key === null) return 0;
  if (key.length > LONGEST_KEY) return hashed(key);
  const text = key.toString('latin1');
  const known = shardOfKey.get(text);
  if (known !== undefined) return known;
  const shard = hashed(key);
  if (shardOfKey.size >= MOST_KEYS) shardOfKey.clear();
  shardOfKey.set(text, shard);
  return shard;
}

function hashed(key: Buffer): number {
  return hash('md5', key, 'buffer').readUInt32BE(0) % SHARDS;
}

const WRITE: Statement = {
  name: 'headrace_write_outbox',
  text: `
    WITH locked AS MATERIALIZED (
      SELECT count(pg_advisory_xact_lock(hashtext(current_schema() || '/outbox-writer'), shard)) AS shards
        FROM unnest($1::int[]) AS shard
    ), written AS (
      INSERT INTO outbox (shard, topic, events, packed)
      SELECT r.* FROM locked, unnest($2::int[], $3::text[], $4::int[], $5::bytea[]) AS r (shard, topic, events, packed)
       WHERE locked.shards > 0
    ) SELECT CASE WHEN $6 THEN pg_notify('${OUTBOX_CHANNEL_PREFIX}' || current_schema(), '') END`,
};

/**
 * Writes the events in one statement. The shards' locks are taken in ascending order (no deadlock) before
 * sequences are drawn and held until the commit is visible: within a shard, sequence order is commit order, and the relay skips
 * nothing. `elsewhere`: whether relays of other processes must be told that there is something in these shards.
 */
export async function writeOutbox(
  runner: QueryRunner,
  events: readonly OutboxEvent[],
  elsewhere: (shards: readonly number[]) => boolean = () => true,
): Promise<void> {
  if (events.length === 0) return;
  const rows = rowsOf(events);
  const shards = [...new Set(rows.map((row) => row.shard))].sort((a, b) => a - b);
  await prepared(runner, WRITE, [
    int4Array(shards),
    int4Array(rows.map((row) => row.shard)),
    textArray(rows.map((row) => row.topic)),
    int4Array(rows.map((row) => row.events.length)),
    byteaArray(rows.map((row) => packEvents(row.events))),
    elsewhere(shards),
  ]);
}

/** In the order of the events, for each shard and topic. */
function rowsOf(events: readonly OutboxEvent[]): OutboxRow[] {
  const rows: OutboxRow[] = [];
  const open = new Map<string, OutboxRow>();
  for (const event of events) {
    const shard = shardOf(event.key);
    const place = `${shard} ${event.topic}`;
    const size = sizeOfPacked(event);
    let row = open.get(place);
    if (!row || row.events.length === NUMBERS_OF_ROW || row.bytes + size > ROW_BYTES) {
      row = { shard, topic: event.topic, events: [], bytes: 0 };
      open.set(place, row);
      rows.push(row);
    }
    row.events.push(event);
    row.bytes += size;
  }
  return rows;
}
