import type { MigrationInterface, QueryRunner } from 'typeorm';

/** Predictions that people are asked about. */
export class LabelQueue1765400000000 implements MigrationInterface {
  readonly name = 'LabelQueue1765400000000';

  async up(runner: QueryRunner): Promise<void> {
    await runner.query(`
      CREATE TABLE label_items (
        prediction_id text PRIMARY KEY,
        monitor text NOT NULL,
        reason text NOT NULL CHECK (reason IN ('uncertain', 'drifted', 'random')),
        priority double precision NOT NULL,
        -- event time of the prediction
        as_of bigint NOT NULL,
        -- Whose it is, and until when (wall clock).
        lease uuid,
        leased_by text,
        leased_until timestamptz,
        answered_by text,
        answered_at timestamptz,
        -- The record of the label's stream that the answer is, its topic, and when the topic had it.
        topic text,
        record jsonb,
        published_at timestamptz,
        created_at timestamptz NOT NULL DEFAULT now()
      );
      CREATE INDEX label_items_open ON label_items (monitor, reason, priority DESC) WHERE answered_at IS NULL;
      CREATE INDEX label_items_unpublished ON label_items (answered_at)
        WHERE answered_at IS NOT NULL AND published_at IS NULL;
    `);
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query('DROP TABLE label_items');
  }
}
