import type { MigrationInterface, QueryRunner } from 'typeorm';

/** What a version of a model is run by, so that any of them can be asked what it would have answered. */
export class ModelVersions1765300000000 implements MigrationInterface {
  readonly name = 'ModelVersions1765300000000';

  async up(runner: QueryRunner): Promise<void> {
    await runner.query(`
      CREATE TABLE model_versions (
        -- Two events tell of a version, in any order: its training and its registration.
        run_id text PRIMARY KEY,
        model text NOT NULL,
        version bigint,
        digest text,
        signature bytea,
        -- The last event time among its training rows.
        train_to bigint
      );
      CREATE UNIQUE INDEX model_versions_number ON model_versions (model, version);
    `);
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query('DROP TABLE model_versions');
  }
}
