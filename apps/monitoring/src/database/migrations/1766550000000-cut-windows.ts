import type { MigrationInterface, QueryRunner } from 'typeorm';

/** Windows by count, and where they end. */
export class CutWindows1766550000000 implements MigrationInterface {
  readonly name = 'CutWindows1766550000000';

  async up(runner: QueryRunner): Promise<void> {
    await runner.query(`
      CREATE TABLE window_cuts (
        monitor text NOT NULL,
        -- prediction: as-of times; label: event times of labels
        clock text NOT NULL,
        version bigint NOT NULL,
        start_time bigint NOT NULL,
        end_time bigint NOT NULL,
        -- predictions, or age
        closed_by text NOT NULL,
        PRIMARY KEY (monitor, clock, version, end_time)
      );
      -- null: a window of a length
      ALTER TABLE windows ADD COLUMN closed_by text`);
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query('ALTER TABLE windows DROP COLUMN closed_by; DROP TABLE window_cuts');
  }
}
