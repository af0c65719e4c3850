import type { MigrationInterface, QueryRunner } from 'typeorm';

export class CreateDefinitions1763700000000 implements MigrationInterface {
  async up(runner: QueryRunner): Promise<void> {
    await runner.query(`
      CREATE TABLE definitions (
        kind text NOT NULL,
        name text NOT NULL,
        version text NOT NULL,
        generation bigint NOT NULL,
        document text NOT NULL,
        phase text NOT NULL CHECK (phase IN ('pending', 'ready')),
        changed_by text NOT NULL,
        PRIMARY KEY (kind, name)
      )`);
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query('DROP TABLE definitions');
  }
}
