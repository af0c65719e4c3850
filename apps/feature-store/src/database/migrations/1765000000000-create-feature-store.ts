import type { MigrationInterface, QueryRunner } from 'typeorm';

export class CreateFeatureStore1765000000000 implements MigrationInterface {
  async up(runner: QueryRunner): Promise<void> {
    // One row for each content of a feature view whose records are kept.
    await runner.query(`
      CREATE TABLE view_versions (
        id integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
        name text NOT NULL,
        version text NOT NULL,
        stream text NOT NULL,
        generation bigint NOT NULL,
        document text NOT NULL,
        -- Offsets of data.<stream>.v1 below which records are filled in from the log, by partition; null when that is done.
        backfill_to jsonb,
        -- A newer content serves: nobody reads it or adds to it any more, and its records are being deleted.
        replaced boolean NOT NULL DEFAULT false
      )`);
    await runner.query('CREATE UNIQUE INDEX view_versions_kept ON view_versions (name, version) WHERE NOT replaced');
    await runner.query('CREATE INDEX view_versions_stream ON view_versions (stream) WHERE NOT replaced');
    // No foreign key: whoever adds records holds the lock of the stream, which replacing takes alone.
    await runner.query(`
      CREATE TABLE feature_records (
        view_id integer NOT NULL,
        entity text NOT NULL,
        event_time bigint NOT NULL,
        known_time bigint NOT NULL,
        partition integer NOT NULL,
        "offset" bigint NOT NULL,
        inputs bigint[] NOT NULL,
        PRIMARY KEY (view_id, partition, "offset")
      )`);
    await runner.query('CREATE INDEX feature_records_window ON feature_records (view_id, entity, event_time)');
    await runner.query('CREATE INDEX feature_records_age ON feature_records USING brin (event_time)');
    await runner.query(`
      CREATE TABLE stream_progress (
        stream text NOT NULL,
        partition integer NOT NULL,
        watermark bigint NOT NULL,
        PRIMARY KEY (stream, partition)
      )`);
    await runner.query(`
      CREATE TABLE dataset_versions (
        stream text NOT NULL,
        version bigint NOT NULL,
        manifest_digest text NOT NULL,
        PRIMARY KEY (stream, version)
      )`);
    await runner.query(`
      CREATE TABLE materialization_jobs (
        run_id text PRIMARY KEY,
        request bytea NOT NULL,
        cause jsonb NOT NULL,
        state text NOT NULL DEFAULT 'waiting' CHECK (state IN ('waiting', 'done', 'failed')),
        attempts integer NOT NULL DEFAULT 0,
        next_try_at timestamptz NOT NULL DEFAULT now(),
        created_at timestamptz NOT NULL DEFAULT now(),
        finished_at timestamptz
      )`);
    await runner.query(
      `CREATE INDEX materialization_jobs_waiting ON materialization_jobs (created_at) WHERE state = 'waiting'`,
    );
  }

  async down(runner: QueryRunner): Promise<void> {
    for (const table of [
      'materialization_jobs',
      'dataset_versions',
      'stream_progress',
      'feature_records',
      'view_versions',
    ]) {
      await runner.query(`DROP TABLE ${table}`);
    }
  }
}
