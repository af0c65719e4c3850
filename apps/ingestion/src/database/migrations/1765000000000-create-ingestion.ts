import type { MigrationInterface, QueryRunner } from 'typeorm';

export class CreateIngestion1765000000000 implements MigrationInterface {
  readonly name = 'CreateIngestion1765000000000';

  async up(runner: QueryRunner): Promise<void> {
    await runner.query(`
      CREATE TABLE stream_partitions (
        stream text NOT NULL,
        topic text NOT NULL,
        partition integer NOT NULL,
        last_known_micros bigint,
        floor_micros bigint,
        reached_event_micros bigint,
        accepted bigint NOT NULL DEFAULT 0,
        rejected bigint NOT NULL DEFAULT 0,
        duplicates bigint NOT NULL DEFAULT 0,
        rejected_by_code jsonb NOT NULL DEFAULT '{}',
        updated_at timestamptz NOT NULL DEFAULT clock_timestamp(),
        PRIMARY KEY (stream, topic, partition)
      ) WITH (fillfactor = 50);

      CREATE TABLE seen_events (
        stream text COLLATE "C" NOT NULL,
        event_id text COLLATE "C" NOT NULL,
        PRIMARY KEY (stream, event_id)
      );

      CREATE TABLE stream_watermarks (
        stream text PRIMARY KEY,
        announced_micros bigint,
        announcements bigint NOT NULL DEFAULT 0
      ) WITH (fillfactor = 50);

      CREATE TABLE quality_windows (
        stream text NOT NULL,
        start_micros bigint NOT NULL,
        end_micros bigint NOT NULL,
        accepted bigint NOT NULL,
        rejected bigint NOT NULL,
        PRIMARY KEY (stream, start_micros, end_micros)
      ) WITH (fillfactor = 50);

      CREATE TABLE quality_degradations (
        stream text PRIMARY KEY,
        window_start_micros bigint NOT NULL
      );

      CREATE TABLE dataset_versions (
        stream text NOT NULL,
        version bigint NOT NULL,
        manifest_digest text NOT NULL,
        rows bigint NOT NULL,
        added_rows bigint NOT NULL,
        min_event_micros bigint NOT NULL,
        max_event_micros bigint NOT NULL,
        max_known_micros bigint NOT NULL,
        first_record jsonb NOT NULL,
        last_record jsonb NOT NULL,
        end_offsets jsonb NOT NULL,
        last_sequences jsonb NOT NULL,
        schema jsonb NOT NULL,
        committed_at timestamptz NOT NULL DEFAULT now(),
        PRIMARY KEY (stream, version)
      );

      CREATE TABLE commit_requests (
        id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
        event_id text NOT NULL UNIQUE,
        requested_at timestamptz NOT NULL DEFAULT now()
      );
    `);
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query(
      `DROP TABLE commit_requests, dataset_versions, quality_degradations, quality_windows, stream_watermarks,
        seen_events, stream_partitions`,
    );
  }
}
