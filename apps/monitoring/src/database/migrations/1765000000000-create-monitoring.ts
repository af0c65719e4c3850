import type { MigrationInterface, QueryRunner } from 'typeorm';

/** All times are microseconds since the epoch; event time unless said otherwise. */
export class CreateMonitoring1765000000000 implements MigrationInterface {
  readonly name = 'CreateMonitoring1765000000000';

  async up(runner: QueryRunner): Promise<void> {
    await runner.query(`
      CREATE TABLE feature_layouts (
        layout text PRIMARY KEY,
        names text[] NOT NULL
      );
      CREATE TABLE predictions (
        prediction_id text PRIMARY KEY,
        endpoint text NOT NULL,
        model text NOT NULL,
        version bigint NOT NULL,
        assignment text NOT NULL,
        join_key text NOT NULL,
        as_of bigint NOT NULL,
        layout text NOT NULL,
        features double precision[] NOT NULL,
        output double precision NOT NULL,
        shadow_versions bigint[] NOT NULL,
        shadow_outputs double precision[] NOT NULL,
        rollout_id text NOT NULL,
        fallback boolean NOT NULL,
        -- where its PredictionServed stands, when it was published (wall clock), and its place in the chain
        log_partition integer NOT NULL,
        log_offset bigint NOT NULL,
        published bigint NOT NULL,
        causation_id text NOT NULL,
        correlation_id text NOT NULL,
        traceparent text
      );
      CREATE INDEX predictions_as_of ON predictions (endpoint, as_of);
      CREATE INDEX predictions_join_key ON predictions (join_key, endpoint);
      CREATE INDEX predictions_rollout ON predictions (rollout_id, as_of) WHERE rollout_id <> '';
      CREATE TABLE labels (
        source text NOT NULL,
        key text NOT NULL,
        value double precision NOT NULL,
        event_time bigint NOT NULL,
        known_time bigint NOT NULL,
        -- wall clock at which upstream published it
        published bigint NOT NULL,
        event_id text NOT NULL,
        correlation_id text NOT NULL,
        traceparent text,
        PRIMARY KEY (source, key)
      );
      CREATE INDEX labels_event_time ON labels (source, event_time);
      CREATE TABLE outcomes (
        source text NOT NULL,
        prediction_id text NOT NULL,
        endpoint text NOT NULL,
        as_of bigint NOT NULL,
        version bigint NOT NULL,
        output double precision NOT NULL,
        shadow_versions bigint[] NOT NULL,
        shadow_outputs double precision[] NOT NULL,
        rollout_id text NOT NULL,
        label double precision NOT NULL,
        label_event_time bigint NOT NULL,
        label_known_time bigint NOT NULL,
        label_published bigint NOT NULL,
        PRIMARY KEY (source, prediction_id)
      );
      CREATE INDEX outcomes_label_time ON outcomes (source, endpoint, label_event_time);
      CREATE INDEX outcomes_as_of ON outcomes (endpoint, as_of);
      CREATE INDEX outcomes_rollout ON outcomes (rollout_id, label_event_time) WHERE rollout_id <> '';
      CREATE TABLE stream_progress (
        stream text NOT NULL,
        partition integer NOT NULL,
        watermark bigint NOT NULL,
        PRIMARY KEY (stream, partition)
      );
      CREATE TABLE prediction_progress (
        endpoint text NOT NULL,
        partition integer NOT NULL,
        max_as_of bigint NOT NULL,
        updated_at timestamptz NOT NULL DEFAULT now(),
        PRIMARY KEY (endpoint, partition)
      );
      CREATE TABLE champion_starts (
        endpoint text NOT NULL,
        version bigint NOT NULL,
        first_as_of bigint NOT NULL,
        PRIMARY KEY (endpoint, version)
      );
      CREATE TABLE endpoint_counters (
        endpoint text PRIMARY KEY,
        predictions bigint NOT NULL DEFAULT 0,
        fallbacks bigint NOT NULL DEFAULT 0,
        joined bigint NOT NULL DEFAULT 0
      );
      CREATE TABLE deployments (
        endpoint text PRIMARY KEY,
        generation bigint NOT NULL,
        model text NOT NULL,
        champion_version bigint,
        profile_digest text,
        rollout jsonb,
        event_id text NOT NULL,
        correlation_id text NOT NULL,
        traceparent text
      );
      CREATE TABLE monitor_states (
        monitor text NOT NULL,
        kind text NOT NULL,
        version bigint NOT NULL,
        next_start bigint,
        last_end bigint,
        stands boolean NOT NULL DEFAULT false,
        since bigint,
        signal_event_id text,
        signal_correlation_id text,
        signal_traceparent text,
        PRIMARY KEY (monitor, kind)
      );
      CREATE TABLE windows (
        monitor text NOT NULL,
        kind text NOT NULL,
        version bigint NOT NULL,
        start_time bigint NOT NULL,
        end_time bigint NOT NULL,
        judged boolean NOT NULL,
        crossed boolean NOT NULL,
        predictions integer NOT NULL,
        labels integer NOT NULL,
        evidence jsonb NOT NULL,
        last_prediction_id text,
        closed_at timestamptz NOT NULL DEFAULT now(),
        PRIMARY KEY (monitor, kind, version, start_time)
      );
      CREATE TABLE rollout_analyses (
        rollout_id text PRIMARY KEY,
        endpoint text NOT NULL,
        start_time bigint NOT NULL,
        analysed_to bigint,
        gathered_pairs integer NOT NULL,
        gathered_total double precision NOT NULL,
        means double precision[] NOT NULL,
        pairs integer NOT NULL,
        last_prediction_id text,
        decided_step integer NOT NULL DEFAULT -1
      );
      CREATE TABLE retraining_requests (
        event_id text PRIMARY KEY,
        monitor text NOT NULL,
        model text NOT NULL,
        plan text NOT NULL,
        decided_at bigint NOT NULL,
        requested_at timestamptz NOT NULL DEFAULT now()
      );
      CREATE INDEX retraining_requests_monitor ON retraining_requests (monitor, requested_at);
      CREATE INDEX retraining_requests_model ON retraining_requests (model, requested_at);
      CREATE TABLE training_runs (
        run_id text PRIMARY KEY,
        -- the event that TrainingRequested answered; null until that is known
        request_id text,
        model text,
        version bigint,
        failed boolean NOT NULL DEFAULT false
      );
      CREATE INDEX training_runs_request ON training_runs (request_id);
      CREATE TABLE version_verdicts (
        model text NOT NULL,
        version bigint NOT NULL,
        verdict text NOT NULL,
        PRIMARY KEY (model, version)
      );
      CREATE TABLE decisions (
        event_id text PRIMARY KEY,
        sequence bigserial NOT NULL UNIQUE,
        monitor text NOT NULL,
        endpoint text NOT NULL,
        type text NOT NULL,
        -- wall clock
        decided_at bigint NOT NULL,
        record_published bigint NOT NULL,
        summary text NOT NULL
      );
      CREATE INDEX decisions_monitor ON decisions (monitor, sequence);
      CREATE INDEX decisions_endpoint ON decisions (endpoint, sequence);
    `);
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query(`
      DROP TABLE decisions, version_verdicts, training_runs, retraining_requests, rollout_analyses, windows,
        monitor_states, deployments, endpoint_counters, champion_starts, prediction_progress, stream_progress, outcomes,
        labels, predictions, feature_layouts`);
  }
}
