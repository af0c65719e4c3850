import type { MigrationInterface, QueryRunner } from 'typeorm';

/** Jobs that people asked for and other services do, so that asking again begins nothing new. */
export class RequestedJobs1764400000000 implements MigrationInterface {
  readonly name = 'RequestedJobs1764400000000';

  async up(runner: QueryRunner): Promise<void> {
    await runner.query(`
      CREATE TABLE requested_jobs (
        job_id text PRIMARY KEY,
        kind text NOT NULL CHECK (kind IN ('scoring')),
        -- What was asked, as it was asked.
        request jsonb NOT NULL,
        model text NOT NULL,
        version bigint NOT NULL,
        event_id text NOT NULL,
        requested_at timestamptz NOT NULL DEFAULT now()
      )`);
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query('DROP TABLE requested_jobs');
  }
}
