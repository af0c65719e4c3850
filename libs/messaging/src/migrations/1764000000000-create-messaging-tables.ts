import type { MigrationInterface, QueryRunner } from 'typeorm';

/** Positions, repeats, outbox, parked events and tries; unqualified, so the service's search_path decides the schema. */
export class CreateMessagingTables1764000000000 implements MigrationInterface {
  readonly name = 'CreateMessagingTables1764000000000';

  async up(runner: QueryRunner): Promise<void> {
    await runner.query(`
      CREATE TABLE consumer_positions (
        consumer_group text NOT NULL,
        topic text NOT NULL,
        partition integer NOT NULL,
        cluster_id text NOT NULL,
        next_offset bigint NOT NULL,
        updated_at timestamptz NOT NULL DEFAULT now(),
        PRIMARY KEY (consumer_group, topic, partition)
      );
      CREATE TABLE producer_sequences (
        consumer_group text NOT NULL,
        topic text NOT NULL,
        partition integer NOT NULL,
        producer_shard text NOT NULL,
        last_sequence bigint NOT NULL,
        updated_at timestamptz NOT NULL DEFAULT now(),
        PRIMARY KEY (consumer_group, topic, partition, producer_shard)
      );
      CREATE TABLE outbox (
        sequence bigserial PRIMARY KEY,
        shard integer NOT NULL,
        topic text NOT NULL,
        key bytea,
        headers jsonb NOT NULL,
        value bytea,
        created_at timestamptz NOT NULL DEFAULT now()
      );
      CREATE TABLE parked_events (
        consumer_group text NOT NULL,
        topic text NOT NULL,
        partition integer NOT NULL,
        source_offset bigint NOT NULL,
        record_key bytea NOT NULL,
        timestamp_ms bigint NOT NULL,
        headers jsonb NOT NULL,
        value bytea,
        state text NOT NULL CHECK (state IN ('waiting', 'behind', 'dead')),
        blocks_key boolean NOT NULL,
        waits_for text NOT NULL DEFAULT '',
        tries integer NOT NULL DEFAULT 0,
        parked_at timestamptz NOT NULL DEFAULT now(),
        expires_at timestamptz,
        next_try_at timestamptz NOT NULL DEFAULT now(),
        PRIMARY KEY (consumer_group, topic, partition, source_offset)
      );
      CREATE INDEX parked_events_key ON parked_events (consumer_group, topic, partition, record_key, source_offset);
      CREATE INDEX parked_events_due ON parked_events (consumer_group, next_try_at) WHERE state <> 'dead';
      CREATE TABLE delivery_attempts (
        consumer_group text NOT NULL,
        topic text NOT NULL,
        partition integer NOT NULL,
        source_offset bigint NOT NULL,
        attempts integer NOT NULL,
        last_error text NOT NULL,
        updated_at timestamptz NOT NULL DEFAULT now(),
        PRIMARY KEY (consumer_group, topic, partition, source_offset)
      );
    `);
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query('DROP TABLE delivery_attempts, parked_events, outbox, producer_sequences, consumer_positions');
  }
}
