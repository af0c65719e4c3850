import type { MigrationInterface, QueryRunner } from 'typeorm';

/**
 * Which letters of this database may still be redriven or dropped. A command is obeyed only for the letter that stands
 * here, so that a command which comes twice, or which a database made anew reads again, does nothing.
 */
export class RememberDeadLetters1764000000010 implements MigrationInterface {
  async up(runner: QueryRunner): Promise<void> {
    await runner.query(`
      CREATE TABLE dead_letters (
        consumer_group text NOT NULL,
        topic text NOT NULL,
        partition integer NOT NULL,
        source_offset bigint NOT NULL,
        letter_id text NOT NULL,
        attempt integer NOT NULL,
        died_at timestamptz NOT NULL DEFAULT now(),
        asked_by text,
        asked_reason text,
        asked_at_micros bigint,
        PRIMARY KEY (consumer_group, topic, partition, source_offset)
      );
      ALTER TABLE parked_events ADD COLUMN redrive_of text;
    `);
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query('ALTER TABLE parked_events DROP COLUMN redrive_of');
    await runner.query('DROP TABLE dead_letters');
  }
}
