// Durable count of unknown faults: it survives the process that the event may be killing.
import type { DataSource, QueryRunner } from 'typeorm';
import type { PartitionId } from './positions';

/** Counts one more failed try in its own transaction; returns how many there are now. */
export async function countAttempt(
  dataSource: DataSource,
  id: PartitionId,
  offset: number,
  error: string,
): Promise<number> {
  const counted: unknown = await dataSource.query(
    `INSERT INTO delivery_attempts (consumer_group, topic, partition, source_offset, attempts, last_error)
     VALUES ($1, $2, $3, $4, 1, $5)
     ON CONFLICT (consumer_group, topic, partition, source_offset)
     DO UPDATE SET attempts = delivery_attempts.attempts + 1, last_error = EXCLUDED.last_error, updated_at = now()
     RETURNING attempts`,
    [id.group, id.topic, id.partition, offset, error.replaceAll('\0', '').slice(0, 4000)],
  );
  return (counted as { attempts: number }[])[0]?.attempts ?? 1;
}

/** In the transaction that settles what lies in [from, to). */
export async function forgetAttempts(runner: QueryRunner, id: PartitionId, from: number, to: number): Promise<void> {
  await runner.query(
    `DELETE FROM delivery_attempts
      WHERE consumer_group = $1 AND topic = $2 AND partition = $3 AND source_offset >= $4 AND source_offset < $5`,
    [id.group, id.topic, id.partition, from, to],
  );
}
