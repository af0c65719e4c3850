import type { MigrationInterface, QueryRunner } from 'typeorm';

/** Dataset versions being scored: a part that is done stays done, whatever happens to the process. */
export class ScoringJobs1765000000003 implements MigrationInterface {
  async up(runner: QueryRunner): Promise<void> {
    await runner.query(`
      CREATE TABLE scoring_jobs (
        job_id text PRIMARY KEY,
        -- ScoringRequested.
        request bytea NOT NULL,
        cause jsonb NOT NULL,
        state text NOT NULL DEFAULT 'waiting' CHECK (state IN ('waiting', 'scoring', 'done', 'failed')),
        -- Exact dataset versions and the features' file, once they are settled: every part is scored from the same.
        inputs jsonb,
        rows bigint NOT NULL DEFAULT 0,
        rows_beyond_sources bigint NOT NULL DEFAULT 0,
        -- Of a job that is done.
        manifest jsonb,
        -- Of a job that failed, or why it waits.
        code text NOT NULL DEFAULT '',
        message text NOT NULL DEFAULT '',
        -- Since something was last achieved.
        attempts integer NOT NULL DEFAULT 0,
        next_try_at timestamptz NOT NULL DEFAULT now(),
        created_at timestamptz NOT NULL DEFAULT now(),
        finished_at timestamptz
      )`);
    await runner.query(
      `CREATE INDEX scoring_jobs_open ON scoring_jobs (created_at) WHERE state IN ('waiting', 'scoring')`,
    );
    await runner.query(`
      CREATE TABLE scoring_parts (
        job_id text NOT NULL REFERENCES scoring_jobs ON DELETE CASCADE,
        part integer NOT NULL,
        digest text NOT NULL,
        size_bytes bigint NOT NULL,
        rows bigint NOT NULL,
        PRIMARY KEY (job_id, part)
      )`);
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query('DROP TABLE scoring_parts');
    await runner.query('DROP TABLE scoring_jobs');
  }
}
