// Events that wait: for their cause (waiting), behind an earlier event of their key (behind), or for a redrive (dead).
import type { QueryRunner } from 'typeorm';
import type { Suspect } from './attempts';
import { rows } from './database';
import type { PartitionId, Timeouts } from './positions';
import { keyOf, restoreHeaders, storeHeaders, type StoredHeaders } from './stored-record';
import type { RawRecord } from './types';

export type ParkedState = 'waiting' | 'behind' | 'dead';

export interface Parking {
  readonly record: RawRecord;
  readonly state: ParkedState;
  /** Later events of the key wait behind it. */
  readonly blocksKey: boolean;
  readonly waitsFor: string;
  readonly expiresAtMs: number | undefined;
}

export async function park(runner: QueryRunner, group: string, parking: Parking): Promise<void> {
  const { record } = parking;
  await runner.query(
    `INSERT INTO parked_events (consumer_group, topic, partition, source_offset, record_key, timestamp_ms, headers, value,
                                state, blocks_key, waits_for, expires_at)
     VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, to_timestamp($12::float8))
     ON CONFLICT (consumer_group, topic, partition, source_offset)
     DO UPDATE SET state = EXCLUDED.state, waits_for = EXCLUDED.waits_for, expires_at = EXCLUDED.expires_at`,
    [
      group,
      record.topic,
      record.partition,
      record.offset,
      keyOf(record),
      record.timestampMs,
      JSON.stringify(storeHeaders(record.headers)),
      record.value,
      parking.state,
      parking.blocksKey,
      parking.waitsFor,
      parking.expiresAtMs === undefined ? null : parking.expiresAtMs / 1000,
    ],
  );
}

/** Hands a dead event to the retrier again: in its own place, where its key waits for it. */
export async function revive(
  runner: QueryRunner,
  group: string,
  record: RawRecord,
  redrive: { readonly letterId: string; readonly blocksKey: boolean },
): Promise<void> {
  await runner.query(
    `INSERT INTO parked_events (consumer_group, topic, partition, source_offset, record_key, timestamp_ms, headers, value,
                                state, blocks_key, waits_for, redrive_of)
     VALUES ($1, $2, $3, $4, $5, $6, $7, $8, 'waiting', $9, 'its redrive', $10)
     ON CONFLICT (consumer_group, topic, partition, source_offset)
     DO UPDATE SET state = 'waiting', waits_for = EXCLUDED.waits_for, redrive_of = EXCLUDED.redrive_of, tries = 0,
                   expires_at = NULL, next_try_at = now()`,
    [
      group,
      record.topic,
      record.partition,
      record.offset,
      keyOf(record),
      record.timestampMs,
      JSON.stringify(storeHeaders(record.headers)),
      record.value,
      redrive.blocksKey,
      redrive.letterId,
    ],
  );
}

export interface ParkedEvent {
  /** With `redriveOf` when a redrive brings it again. */
  readonly record: RawRecord;
  readonly state: ParkedState;
  readonly blocksKey: boolean;
  readonly tries: number;
  readonly expiresAtMs: number | undefined;
}

const COLUMNS = `topic, partition, source_offset, record_key, timestamp_ms, headers, value, state, blocks_key, tries,
  redrive_of, extract(epoch FROM expires_at) * 1000 AS expires_at_ms`;

interface Row {
  topic: string;
  partition: number;
  source_offset: string;
  record_key: Buffer;
  timestamp_ms: string;
  headers: StoredHeaders;
  value: Buffer | null;
  state: ParkedState;
  blocks_key: boolean;
  tries: number;
  redrive_of: string | null;
  expires_at_ms: string | null;
}

/** A parked event whose time has come, with what its tries have shown. */
export interface DueEvent extends PartitionId {
  readonly offset: number;
  readonly suspect: Suspect | undefined;
}

interface DueRow {
  topic: string;
  partition: number;
  source_offset: string;
  attempts: number | null;
  last_error: string | null;
}

/**
 * What is due and behind nothing; what waits for its try longest comes first, so that thousands which wait in vain hold
 * nobody up. Redriven events of a key follow each other in any case.
 */
export async function dueEvents(runner: QueryRunner, group: string, limit: number): Promise<DueEvent[]> {
  const found = await rows<DueRow>(
    runner,
    `SELECT p.topic, p.partition, p.source_offset, a.attempts, a.last_error
       FROM parked_events p
       LEFT JOIN delivery_attempts a USING (consumer_group, topic, partition, source_offset)
      WHERE consumer_group = $1 AND state <> 'dead' AND next_try_at <= now()
        AND NOT ((blocks_key OR redrive_of IS NOT NULL) AND EXISTS (
              SELECT 1 FROM parked_events e
               WHERE e.consumer_group = p.consumer_group AND e.topic = p.topic AND e.partition = p.partition
                 AND e.record_key = p.record_key AND e.source_offset < p.source_offset
                 AND ((e.blocks_key AND p.blocks_key)
                   OR (e.redrive_of IS NOT NULL AND p.redrive_of IS NOT NULL AND e.state <> 'dead'))))
      ORDER BY next_try_at, topic, partition, source_offset LIMIT $2`,
    [group, limit],
  );
  return found.map(({ topic, partition, source_offset: offset, attempts, last_error: lastError }) => ({
    group,
    topic,
    partition,
    offset: Number(offset),
    suspect: attempts === null ? undefined : { attempts, lastError: lastError ?? '' },
  }));
}

/** Takes the row for this transaction; undefined when it is gone, dead, or another process has (or had) this try. */
export async function lockParked(
  runner: QueryRunner,
  id: PartitionId,
  offset: number,
  timeouts: Timeouts,
): Promise<ParkedEvent | undefined> {
  const [row] = await rows<Row>(
    runner,
    `SELECT ${COLUMNS}, set_config('idle_in_transaction_session_timeout', $5, true),
            set_config('statement_timeout', $6, true)
       FROM parked_events
      WHERE consumer_group = $1 AND topic = $2 AND partition = $3 AND source_offset = $4 AND state <> 'dead'
        AND next_try_at <= now()
        FOR UPDATE SKIP LOCKED`,
    [id.group, id.topic, id.partition, offset, String(timeouts.idleInTransactionMs), String(timeouts.statementMs)],
  );
  if (!row) return undefined;
  return {
    record: {
      topic: row.topic,
      partition: row.partition,
      offset: Number(row.source_offset),
      timestampMs: Number(row.timestamp_ms),
      key: row.record_key.length === 0 ? null : row.record_key,
      value: row.value,
      headers: restoreHeaders(row.headers),
      ...(row.redrive_of === null ? {} : { redriveOf: row.redrive_of }),
    },
    state: row.state,
    blocksKey: row.blocks_key,
    tries: row.tries,
    expiresAtMs: row.expires_at_ms === null ? undefined : Number(row.expires_at_ms),
  };
}

export async function unpark(runner: QueryRunner, id: PartitionId, offset: number): Promise<void> {
  await runner.query(
    'DELETE FROM parked_events WHERE consumer_group = $1 AND topic = $2 AND partition = $3 AND source_offset = $4',
    [id.group, id.topic, id.partition, offset],
  );
}

export async function postpone(
  runner: QueryRunner,
  id: PartitionId,
  offset: number,
  change: {
    readonly state: ParkedState;
    readonly waitsFor: string;
    readonly expiresAtMs: number;
    readonly delayMs: number;
  },
): Promise<void> {
  await runner.query(
    `UPDATE parked_events
        SET state = $5, waits_for = $6, expires_at = to_timestamp($7::float8), tries = tries + 1,
            next_try_at = now() + make_interval(secs => $8::float8)
      WHERE consumer_group = $1 AND topic = $2 AND partition = $3 AND source_offset = $4`,
    [
      id.group,
      id.topic,
      id.partition,
      offset,
      change.state,
      change.waitsFor,
      change.expiresAtMs / 1000,
      change.delayMs / 1000,
    ],
  );
}

/** The event is dead-lettered, its key waits for the redrive. */
export async function markDead(runner: QueryRunner, id: PartitionId, offset: number): Promise<void> {
  await runner.query(
    `UPDATE parked_events SET state = 'dead', expires_at = NULL
      WHERE consumer_group = $1 AND topic = $2 AND partition = $3 AND source_offset = $4`,
    [id.group, id.topic, id.partition, offset],
  );
}
