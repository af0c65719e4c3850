import type { MigrationInterface, QueryRunner } from 'typeorm';

/** Windows that later ones are compared with, where the Monitor's reference moves with time. */
export class SketchWindows1765700000000 implements MigrationInterface {
  readonly name = 'SketchWindows1765700000000';

  async up(runner: QueryRunner): Promise<void> {
    await runner.query(`
      CREATE TABLE window_sketches (
        monitor text NOT NULL,
        version bigint NOT NULL,
        -- the prediction, or a feature
        subject text NOT NULL,
        start_time bigint NOT NULL,
        end_time bigint NOT NULL,
        -- of the window
        row_count integer NOT NULL,
        -- finite ones of the subject
        value_count integer NOT NULL,
        mean double precision NOT NULL,
        squares double precision NOT NULL,
        -- at most 1000 doubles, rising, as float8send gives them
        sample bytea NOT NULL,
        PRIMARY KEY (monitor, version, subject, start_time)
      );
      -- null: the training profile
      ALTER TABLE windows ADD COLUMN reference jsonb;
    `);
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query('DROP TABLE window_sketches; ALTER TABLE windows DROP COLUMN reference');
  }
}
