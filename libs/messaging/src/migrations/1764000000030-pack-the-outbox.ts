import type { MigrationInterface, QueryRunner } from 'typeorm';
import { DEAD_LETTER_HEADERS } from '../dead-letters';
import { packEvents, unpackEvents } from '../packed-events';
import { HeaderBlock } from '../record-bytes';
import { restoreHeaders, storeHeaders, type StoredHeaders } from '../stored-record';

const AT_ONCE = 500;
const NUMBERS_OF_ROW = 512;

interface OneEvent {
  sequence: string;
  key: Buffer | null;
  headers: StoredHeaders;
  value: Buffer | null;
}

interface Packed {
  sequence: string;
  shard: number;
  topic: string;
  packed: Buffer;
}

/**
 * A row of the outbox holds all events of a transaction for one shard and topic instead of one. A row takes 512 numbers at
 * once: its events have its own and those that follow. Events that wait are packed one by one and keep their number.
 */
export class PackTheOutbox1764000000030 implements MigrationInterface {
  async up(runner: QueryRunner): Promise<void> {
    await runner.query('ALTER TABLE outbox ADD COLUMN events integer NOT NULL DEFAULT 1, ADD COLUMN packed bytea');
    // A packed value is large and is read once: Postgres shall not spend its time on compressing it.
    await runner.query('ALTER TABLE outbox ALTER COLUMN packed SET STORAGE EXTERNAL');
    for (let waiting = await this.unpacked(runner); waiting.length > 0; waiting = await this.unpacked(runner)) {
      for (const { sequence, key, headers, value } of waiting) {
        const numbered = !(DEAD_LETTER_HEADERS.reason in headers);
        const packed = packEvents([{ key, value, headers: HeaderBlock.of(restoreHeaders(headers)), numbered }]);
        await runner.query('UPDATE outbox SET packed = $2 WHERE sequence = $1', [sequence, packed]);
      }
    }
    await runner.query(`
      ALTER TABLE outbox DROP COLUMN key, DROP COLUMN headers, DROP COLUMN value,
        ALTER COLUMN events DROP DEFAULT, ALTER COLUMN packed SET NOT NULL;
      ALTER SEQUENCE outbox_sequence_seq INCREMENT BY ${NUMBERS_OF_ROW};
    `);
  }

  /** Numbers go on behind those that were given: consumers would take lower ones for repeats. */
  async down(runner: QueryRunner): Promise<void> {
    await runner.query('ALTER SEQUENCE outbox_sequence_seq INCREMENT BY 1');
    await runner.query(`SELECT setval('outbox_sequence_seq', nextval('outbox_sequence_seq') + ${NUMBERS_OF_ROW})`);
    await runner.query('ALTER TABLE outbox ADD COLUMN key bytea, ADD COLUMN headers jsonb, ADD COLUMN value bytea');
    const rows = (await runner.query(
      'SELECT sequence, shard, topic, packed FROM outbox ORDER BY sequence',
    )) as Packed[];
    for (const { sequence, shard, topic, packed } of rows) {
      await runner.query('DELETE FROM outbox WHERE sequence = $1', [sequence]);
      for (const [index, { key, headers, value }] of unpackEvents(packed).entries()) {
        await runner.query(
          `INSERT INTO outbox (sequence, shard, topic, key, headers, value, events, packed)
           VALUES ($1, $2, $3, $4, $5, $6, 1, '')`,
          [Number(sequence) + index, shard, topic, key, JSON.stringify(storeHeaders(headers.toRecord())), value],
        );
      }
    }
    await runner.query('ALTER TABLE outbox DROP COLUMN events, DROP COLUMN packed, ALTER COLUMN headers SET NOT NULL');
  }

  private async unpacked(runner: QueryRunner): Promise<OneEvent[]> {
    const sql = `SELECT sequence, key, headers, value FROM outbox WHERE packed IS NULL ORDER BY sequence LIMIT ${AT_ONCE}`;
    return (await runner.query(sql)) as OneEvent[];
  }
}
