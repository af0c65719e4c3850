import type { MigrationInterface, QueryRunner } from 'typeorm';

/**
 * The sequence of a database that was made anew begins at 1 again. Its outbox must then be another producer, or consumers
 * would take its first events for repeats.
 */
export class NameTheOutbox1764000000001 implements MigrationInterface {
  async up(runner: QueryRunner): Promise<void> {
    await runner.query('CREATE TABLE outbox_identity (id uuid NOT NULL DEFAULT gen_random_uuid())');
    await runner.query('INSERT INTO outbox_identity DEFAULT VALUES');
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query('DROP TABLE outbox_identity');
  }
}
