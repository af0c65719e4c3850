import type { MigrationInterface, QueryRunner } from 'typeorm';

export class CreateRegistry1764100000000 implements MigrationInterface {
  readonly name = 'CreateRegistry1764100000000';

  async up(runner: QueryRunner): Promise<void> {
    await runner.query(`
      CREATE TABLE model_versions (
        model text NOT NULL,
        version bigint NOT NULL CHECK (version > 0),
        run_id text NOT NULL UNIQUE,
        state text NOT NULL CHECK (state IN ('registered', 'validated', 'refused', 'waived')),
        trained jsonb NOT NULL,
        gates jsonb NOT NULL DEFAULT '[]',
        registered_at_micros bigint NOT NULL,
        gate_event jsonb,
        validated_event jsonb,
        PRIMARY KEY (model, version)
      );
      CREATE TABLE gate_evaluations (
        model text NOT NULL,
        version bigint NOT NULL,
        event_id text PRIMARY KEY,
        definition_version text NOT NULL,
        gates jsonb NOT NULL,
        passed boolean NOT NULL,
        at_micros bigint NOT NULL,
        FOREIGN KEY (model, version) REFERENCES model_versions
      );
      CREATE TABLE aliases (
        model text NOT NULL,
        alias text NOT NULL,
        version bigint NOT NULL,
        PRIMARY KEY (model, alias),
        FOREIGN KEY (model, version) REFERENCES model_versions
      );
      CREATE TABLE endpoints (
        name text PRIMARY KEY,
        model text NOT NULL,
        generation bigint NOT NULL,
        champion bigint NOT NULL,
        desired jsonb NOT NULL,
        deployment_event jsonb NOT NULL
      );
      CREATE TABLE rollouts (
        rollout_id text PRIMARY KEY,
        endpoint text NOT NULL REFERENCES endpoints,
        candidate bigint NOT NULL,
        champion bigint NOT NULL,
        weights jsonb NOT NULL,
        step integer NOT NULL,
        state text NOT NULL CHECK (state IN ('running', 'promoted', 'rolled_back', 'aborted')),
        paused boolean NOT NULL,
        by_waiver boolean NOT NULL,
        since_generation bigint NOT NULL,
        started_at_micros bigint NOT NULL,
        ended_at_micros bigint,
        reason text NOT NULL DEFAULT ''
      );
      -- Never two rollouts of one endpoint at once.
      CREATE UNIQUE INDEX rollouts_running ON rollouts (endpoint) WHERE state = 'running';
      CREATE TABLE rollout_analyses (
        event_id text PRIMARY KEY,
        rollout_id text NOT NULL,
        endpoint text NOT NULL,
        step integer NOT NULL,
        verdict text NOT NULL,
        improvement jsonb,
        pairs bigint NOT NULL,
        reason text NOT NULL,
        cause jsonb NOT NULL,
        at_micros bigint NOT NULL,
        sequence bigserial NOT NULL
      );
      CREATE INDEX rollout_analyses_rollout ON rollout_analyses (rollout_id, step, sequence);
      CREATE TABLE waiting_versions (
        endpoint text NOT NULL,
        version bigint NOT NULL,
        by_waiver boolean NOT NULL,
        state text NOT NULL CHECK (state IN ('waiting', 'superseded', 'started')),
        cause jsonb NOT NULL,
        at_micros bigint NOT NULL,
        PRIMARY KEY (endpoint, version)
      );
      CREATE UNIQUE INDEX waiting_versions_waiting ON waiting_versions (endpoint) WHERE state = 'waiting';
      CREATE TABLE endpoint_history (
        event_id text PRIMARY KEY,
        endpoint text NOT NULL,
        generation bigint NOT NULL,
        change jsonb NOT NULL,
        at_micros bigint NOT NULL,
        sequence bigserial NOT NULL
      );
      CREATE INDEX endpoint_history_endpoint ON endpoint_history (endpoint, sequence);
      CREATE TABLE event_index (
        id text PRIMARY KEY,
        type text NOT NULL,
        topic text NOT NULL,
        subject text NOT NULL,
        time_micros bigint NOT NULL,
        causation_id text NOT NULL,
        correlation_id text NOT NULL
      );
      CREATE INDEX event_index_correlation ON event_index (correlation_id);
      CREATE TABLE audit_entries (
        sequence bigint PRIMARY KEY,
        at_micros bigint NOT NULL,
        actor text NOT NULL,
        action text NOT NULL,
        subject text NOT NULL,
        detail jsonb NOT NULL,
        previous_hash text NOT NULL,
        hash text NOT NULL
      );
      -- The newest entry: serializes appending, and shows when entries were cut off the end.
      CREATE TABLE audit_head (
        singleton boolean PRIMARY KEY DEFAULT true CHECK (singleton),
        sequence bigint NOT NULL,
        hash text NOT NULL
      );
      INSERT INTO audit_head (sequence, hash) VALUES (0, repeat('0', 64));
      CREATE FUNCTION refuse_audit_change() RETURNS trigger LANGUAGE plpgsql AS $$
        BEGIN
          RAISE EXCEPTION 'audit entries are never changed or removed';
        END $$;
      CREATE TRIGGER audit_entries_append_only BEFORE UPDATE OR DELETE ON audit_entries
        FOR EACH ROW EXECUTE FUNCTION refuse_audit_change();
      CREATE TRIGGER audit_entries_no_truncate BEFORE TRUNCATE ON audit_entries
        FOR EACH STATEMENT EXECUTE FUNCTION refuse_audit_change();
    `);
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query(`
      DROP TABLE audit_head, audit_entries, event_index, endpoint_history, waiting_versions, rollout_analyses, rollouts,
        endpoints, aliases, gate_evaluations, model_versions;
      DROP FUNCTION refuse_audit_change;
    `);
  }
}
