// Durable count of unknown faults: it survives the process that the event may be killing.
import type { DataSource, QueryRunner } from 'typeorm';
import type { PartitionId } from './positions';

/** Group, topic, partition, first offset, offset behind the last, tries to add, error. */
const COUNT = `
  INSERT INTO delivery_attempts (consumer_group, topic, partition, source_offset, attempts, last_error)
  SELECT $1, $2, $3, source_offset, $6, $7 FROM generate_series($4::bigint, $5::bigint - 1) AS source_offset
  ON CONFLICT (consumer_group, topic, partition, source_offset)
  DO UPDATE SET attempts = delivery_attempts.attempts + EXCLUDED.attempts, last_error = EXCLUDED.last_error,
                updated_at = now()
  RETURNING attempts`;
/** Offsets between two records of a compacted topic may be many; what is further away is not in the same hand. */
const WIDEST = 100_000;
const LONGEST_ERROR = 4000;

/** Counts one more failed try in its own transaction; returns how many there are now. */
export async function countAttempt(
  dataSource: DataSource,
  id: PartitionId,
  offset: number,
  error: string,
): Promise<number> {
  const counted: unknown = await dataSource.query(COUNT, parametersOf(id, offset, offset + 1, 1, error));
  return (counted as { attempts: number }[])[0]?.attempts ?? 1;
}

/** Records that were in hand when the event loop hung: from ≤ offset < to. */
export interface HeldRange extends PartitionId {
  readonly from: number;
  readonly to: number;
}

/**
 * Makes what was in hand suspects, which are tried alone from now on (a row with no tries says so). What was in hand
 * alone did it: its try is counted.
 */
export async function noteHang(
  query: (sql: string, parameters: unknown[]) => Promise<unknown>,
  held: readonly HeldRange[],
  error: string,
): Promise<void> {
  const [only] = held;
  const guilty = held.length === 1 && only !== undefined && only.to - only.from === 1;
  for (const range of held) {
    const to = Math.min(range.to, range.from + WIDEST);
    await query(COUNT, parametersOf(range, range.from, to, guilty ? 1 : 0, error));
  }
}

export interface Suspect {
  readonly attempts: number;
  readonly lastError: string;
}

/** What failed before, in this process or in one that it ended, by rising offset. */
export async function readSuspects(
  dataSource: DataSource,
  id: PartitionId,
  from: number,
): Promise<Map<number, Suspect>> {
  const found: unknown = await dataSource.query(
    `SELECT source_offset, attempts, last_error FROM delivery_attempts
      WHERE consumer_group = $1 AND topic = $2 AND partition = $3 AND source_offset >= $4
      ORDER BY source_offset`,
    [id.group, id.topic, id.partition, from],
  );
  const suspects = found as { source_offset: string; attempts: number; last_error: string }[];
  return new Map(
    suspects.map((row) => [Number(row.source_offset), { attempts: row.attempts, lastError: row.last_error }]),
  );
}

/** In the transaction that settles what lies in [from, to). */
export async function forgetAttempts(runner: QueryRunner, id: PartitionId, from: number, to: number): Promise<void> {
  await runner.query(
    `DELETE FROM delivery_attempts
      WHERE consumer_group = $1 AND topic = $2 AND partition = $3 AND source_offset >= $4 AND source_offset < $5`,
    [id.group, id.topic, id.partition, from, to],
  );
}

/** Of everything that the position has passed and that is not parked. */
export async function forgetPassed(dataSource: DataSource, id: PartitionId, position: number): Promise<void> {
  await dataSource.query(
    `DELETE FROM delivery_attempts a
      WHERE consumer_group = $1 AND topic = $2 AND partition = $3 AND source_offset < $4
        AND NOT EXISTS (SELECT 1 FROM parked_events p
                         WHERE p.consumer_group = a.consumer_group AND p.topic = a.topic
                           AND p.partition = a.partition AND p.source_offset = a.source_offset)`,
    [id.group, id.topic, id.partition, position],
  );
}

function parametersOf(id: PartitionId, from: number, to: number, attempts: number, error: string): unknown[] {
  return [id.group, id.topic, id.partition, from, to, attempts, error.replaceAll('\0', '').slice(0, LONGEST_ERROR)];
}
