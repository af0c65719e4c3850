import type { MigrationInterface, QueryRunner } from 'typeorm';

/** How the groups of declared slices fared, beside what the whole window says. */
export class SliceWindows1766200000000 implements MigrationInterface {
  readonly name = 'SliceWindows1766200000000';

  async up(runner: QueryRunner): Promise<void> {
    // Null: the Monitor declared none when the window was judged.
    await runner.query('ALTER TABLE windows ADD COLUMN slices jsonb');
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query('ALTER TABLE windows DROP COLUMN slices');
  }
}
