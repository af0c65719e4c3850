import type { MigrationInterface, QueryRunner } from 'typeorm';

export class CreateTraining1764100000000 implements MigrationInterface {
  readonly name = 'CreateTraining1764100000000';

  async up(runner: QueryRunner): Promise<void> {
    await runner.query(`
      CREATE TABLE dataset_versions (
        stream text NOT NULL,
        version bigint NOT NULL,
        manifest_digest text NOT NULL,
        rows bigint NOT NULL,
        max_event_time_micros bigint NOT NULL,
        max_known_time_micros bigint NOT NULL,
        event jsonb NOT NULL,
        PRIMARY KEY (stream, version)
      );
      CREATE TABLE champions (
        model text PRIMARY KEY,
        version bigint NOT NULL,
        digest text NOT NULL,
        features jsonb NOT NULL
      );
      CREATE TABLE runs (
        run_id text PRIMARY KEY,
        plan text NOT NULL,
        model text NOT NULL,
        state text NOT NULL
          CHECK (state IN ('queued', 'requested', 'joining', 'fitting', 'done', 'failed', 'cancelled')),
        trigger text NOT NULL,
        reason text NOT NULL,
        requested_by text NOT NULL,
        shuffle_labels boolean NOT NULL,
        decided_at_event_micros bigint NOT NULL,
        requested_at_micros bigint NOT NULL,
        snapshot_deadline_micros bigint NOT NULL DEFAULT 0,
        cause jsonb NOT NULL,
        finished_at_micros bigint,
        error_code text NOT NULL DEFAULT '',
        error text NOT NULL DEFAULT '',
        -- Fixed when TrainingRequested is published.
        plan_version text NOT NULL DEFAULT '',
        plan_document jsonb,
        columns jsonb,
        datasets jsonb NOT NULL DEFAULT '[]',
        -- Fixed by FeaturesMaterialized.
        features_event jsonb,
        training_set jsonb,
        training_columns jsonb,
        feature_views jsonb NOT NULL DEFAULT '[]',
        -- The fit.
        champion jsonb,
        is_champion_fixed boolean NOT NULL DEFAULT false,
        failures integer NOT NULL DEFAULT 0,
        next_attempt_at_micros bigint NOT NULL DEFAULT 0,
        claim text,
        heartbeat_at_micros bigint
      );
      CREATE INDEX runs_plan ON runs (plan, requested_at_micros);
      CREATE INDEX runs_fitting ON runs (next_attempt_at_micros) WHERE state = 'fitting';
      -- Never two runs of a plan at once; what waits behind one is a single request of each kind.
      CREATE UNIQUE INDEX runs_active ON runs (plan) WHERE state IN ('requested', 'joining', 'fitting');
      CREATE UNIQUE INDEX runs_queued ON runs (plan, shuffle_labels) WHERE state = 'queued';
      CREATE TABLE run_steps (
        run_id text NOT NULL REFERENCES runs,
        name text NOT NULL CHECK (name IN ('snapshot', 'join', 'fit', 'register')),
        position integer NOT NULL,
        state text NOT NULL CHECK (state IN ('pending', 'running', 'done', 'failed')),
        started_at_micros bigint,
        finished_at_micros bigint,
        attempts integer NOT NULL DEFAULT 0,
        message text NOT NULL DEFAULT '',
        PRIMARY KEY (run_id, name)
      );
    `);
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query('DROP TABLE run_steps, runs, champions, dataset_versions');
  }
}
