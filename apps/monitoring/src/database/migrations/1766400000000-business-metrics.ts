import type { MigrationInterface, QueryRunner } from 'typeorm';

/** What predictions were worth, and what the expressions for it read of the labels' records. */
export class BusinessMetrics1766400000000 implements MigrationInterface {
  readonly name = 'BusinessMetrics1766400000000';

  async up(runner: QueryRunner): Promise<void> {
    await runner.query(`
      -- null: the Monitor declared none when the window was judged
      ALTER TABLE windows ADD COLUMN metrics jsonb;
      -- the fields of the record that metrics read; null: none did when the label came
      ALTER TABLE labels ADD COLUMN fields jsonb`);
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query('ALTER TABLE labels DROP COLUMN fields; ALTER TABLE windows DROP COLUMN metrics');
  }
}
