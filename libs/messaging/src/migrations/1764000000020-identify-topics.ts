import type { MigrationInterface, QueryRunner } from 'typeorm';

/** A position belongs to one topic, not to whatever has its name: one that was made again begins anew or not at all. */
export class IdentifyTopics1764000000020 implements MigrationInterface {
  async up(runner: QueryRunner): Promise<void> {
    await runner.query('ALTER TABLE consumer_positions ADD COLUMN topic_id uuid');
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query('ALTER TABLE consumer_positions DROP COLUMN topic_id');
  }
}
