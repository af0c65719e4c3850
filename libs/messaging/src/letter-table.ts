// Letters of this database that may still be redriven or dropped: what makes a command work exactly once.
import { randomUUID } from 'node:crypto';
import type { QueryRunner } from 'typeorm';
import { rows } from './database';
import type { Asked } from './dead-letters';
import type { PartitionId } from './positions';

/** Notes one more death of the event. The letter it had before, if any, is answered by that. */
export async function recordLetter(
  runner: QueryRunner,
  id: PartitionId,
  offset: number,
): Promise<{ readonly id: string; readonly attempt: number }> {
  const letterId = randomUUID();
  const [row] = await rows<{ attempt: number }>(
    runner,
    `INSERT INTO dead_letters (consumer_group, topic, partition, source_offset, letter_id, attempt)
     VALUES ($1, $2, $3, $4, $5, 1)
     ON CONFLICT (consumer_group, topic, partition, source_offset)
     DO UPDATE SET letter_id = EXCLUDED.letter_id, attempt = dead_letters.attempt + 1, died_at = now(),
                   asked_by = NULL, asked_reason = NULL, asked_at_micros = NULL
     RETURNING attempt`,
    [id.group, id.topic, id.partition, offset, letterId],
  );
  return { id: letterId, attempt: row?.attempt ?? 1 };
}

/** True for the first command about this very letter; false for repeats and for letters that are settled or unknown. */
export async function claimLetter(
  runner: QueryRunner,
  id: PartitionId,
  offset: number,
  letterId: string,
  asked: Asked,
): Promise<boolean> {
  const claimed = await rows(
    runner,
    `UPDATE dead_letters SET asked_by = $6, asked_reason = $7, asked_at_micros = $8
      WHERE consumer_group = $1 AND topic = $2 AND partition = $3 AND source_offset = $4 AND letter_id = $5
        AND asked_by IS NULL
      RETURNING letter_id`,
    [id.group, id.topic, id.partition, offset, letterId, asked.by, asked.reason, asked.atMicros],
  );
  return claimed.length === 1;
}

export interface ClosedLetter extends Asked {
  readonly id: string;
  readonly attempt: number;
}

/** Forgets a claimed letter: it is settled. */
export async function closeLetter(
  runner: QueryRunner,
  id: PartitionId,
  offset: number,
): Promise<ClosedLetter | undefined> {
  const [row] = await rows<{
    letter_id: string;
    attempt: number;
    asked_by: string;
    asked_reason: string;
    asked_at_micros: string;
  }>(
    runner,
    `DELETE FROM dead_letters
      WHERE consumer_group = $1 AND topic = $2 AND partition = $3 AND source_offset = $4 AND asked_by IS NOT NULL
      RETURNING letter_id, attempt, asked_by, asked_reason, asked_at_micros`,
    [id.group, id.topic, id.partition, offset],
  );
  return (
    row && {
      id: row.letter_id,
      attempt: row.attempt,
      by: row.asked_by,
      reason: row.asked_reason,
      atMicros: Number(row.asked_at_micros),
    }
  );
}
