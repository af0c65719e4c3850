import type { MigrationInterface, QueryRunner } from 'typeorm';

/** The same inputs give the same training set: a finished job answers later ones that ask for it again. */
export class ReuseTrainingSets1765000000002 implements MigrationInterface {
  async up(runner: QueryRunner): Promise<void> {
    // Digest of everything the join depends on, and the FeaturesMaterialized that came of it.
    await runner.query('ALTER TABLE materialization_jobs ADD inputs_digest text, ADD result bytea');
    await runner.query(
      `CREATE INDEX materialization_jobs_inputs ON materialization_jobs (inputs_digest) WHERE state = 'done'`,
    );
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query('DROP INDEX materialization_jobs_inputs');
    await runner.query('ALTER TABLE materialization_jobs DROP inputs_digest, DROP result');
  }
}
