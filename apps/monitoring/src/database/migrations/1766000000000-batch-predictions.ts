import type { MigrationInterface, QueryRunner } from 'typeorm';

/** Features of one partition, endpoint and layout lie together; what labels are joined by stays a row of its own. */
export class BatchPredictions1766000000000 implements MigrationInterface {
  readonly name = 'BatchPredictions1766000000000';

  async up(runner: QueryRunner): Promise<void> {
    await runner.query(`
      CREATE SEQUENCE prediction_batch_numbers;
      CREATE TABLE prediction_batches (
        batch bigint PRIMARY KEY,
        from_as_of bigint NOT NULL,
        to_as_of bigint NOT NULL,
        log_partition integer NOT NULL,
        endpoint text NOT NULL,
        layout text NOT NULL,
        -- That scored all of its requests, rising; none of fallback answers, which are in no window.
        versions bigint[] NOT NULL,
        -- Doubles as float8send gives them, request after request: as-of times, a score of each version, features (NaN = missing).
        as_of bytea NOT NULL,
        scores bytea NOT NULL,
        features bytea NOT NULL,
        -- Of each request, or one that all have; a correlation id that is null is the prediction's id.
        causation_ids text[] NOT NULL,
        correlation_ids text[] NOT NULL,
        traceparents text[] NOT NULL
      );
      -- Numbers do not become smaller, and looking for one of them reads its part alone.
      ALTER TABLE prediction_batches ALTER as_of SET STORAGE EXTERNAL, ALTER scores SET STORAGE EXTERNAL,
        ALTER features SET STORAGE EXTERNAL, ALTER correlation_ids SET STORAGE EXTERNAL,
        ALTER traceparents SET STORAGE EXTERNAL;
      CREATE INDEX prediction_batches_as_of ON prediction_batches (endpoint, to_as_of, from_as_of);

      ALTER TABLE predictions RENAME TO predictions_before;
      ALTER TABLE predictions_before RENAME CONSTRAINT predictions_pkey TO predictions_before_pkey;
      DROP INDEX predictions_as_of, predictions_join_key, predictions_rollout;
      CREATE TABLE predictions (
        as_of bigint NOT NULL,
        version bigint NOT NULL,
        output double precision NOT NULL,
        -- where its PredictionServed stands in the batch's partition, and when it was published (wall clock)
        log_offset bigint NOT NULL,
        published bigint NOT NULL,
        batch bigint NOT NULL,
        -- in the batch, from 0
        place integer NOT NULL,
        fallback boolean NOT NULL,
        prediction_id text NOT NULL,
        endpoint text NOT NULL,
        model text NOT NULL,
        join_key text NOT NULL,
        rollout_id text NOT NULL,
        shadow_versions bigint[] NOT NULL,
        shadow_outputs double precision[] NOT NULL
      );
      CREATE TEMPORARY TABLE placed ON COMMIT DROP AS
        SELECT scored.*, row_number() OVER same - 1 AS nth FROM (
          SELECT p.*, CASE WHEN fallback THEN '{}'::bigint[] ELSE ARRAY(
              SELECT DISTINCT version FROM unnest(shadow_versions || p.version) AS s (version) ORDER BY version) END AS versions
            FROM predictions_before p) AS scored
        WINDOW same AS (PARTITION BY endpoint, model, layout, rollout_id, fallback, versions, log_partition ORDER BY as_of, prediction_id);
      CREATE TEMPORARY TABLE numbered ON COMMIT DROP AS
        SELECT *, nextval('prediction_batch_numbers') AS batch FROM (
          SELECT DISTINCT endpoint, model, layout, rollout_id, fallback, versions, log_partition, nth / ${ROWS} AS part FROM placed) AS parts;
      CREATE TEMPORARY TABLE batched ON COMMIT DROP AS
        SELECT p.*, n.batch, (p.nth % ${ROWS})::integer AS place FROM placed p JOIN numbered n
            ON (n.endpoint, n.model, n.layout, n.rollout_id, n.fallback, n.versions, n.log_partition, n.part)
             = (p.endpoint, p.model, p.layout, p.rollout_id, p.fallback, p.versions, p.log_partition, p.nth / ${ROWS});
      INSERT INTO prediction_batches
      SELECT batch, min(as_of), max(as_of), min(log_partition), min(endpoint), min(layout), min(versions),
          string_agg(float8send(as_of::float8), ''::bytea ORDER BY place),
          string_agg(coalesce((
            SELECT string_agg(float8send(CASE WHEN v = version THEN output
                ELSE shadow_outputs[array_position(shadow_versions, v)] END), ''::bytea ORDER BY v) FROM unnest(versions) AS v), ''),
            ''::bytea ORDER BY place),
          string_agg(coalesce((
            SELECT string_agg(float8send(f.value), ''::bytea ORDER BY f.at) FROM unnest(features) WITH ORDINALITY AS f (value, at)), ''),
            ''::bytea ORDER BY place),
          array_agg(causation_id ORDER BY place), array_agg(correlation_id ORDER BY place),
          array_agg(traceparent ORDER BY place)
        FROM batched GROUP BY batch;
      INSERT INTO predictions
      SELECT as_of, version, output, log_offset, published, batch, place, fallback, prediction_id, endpoint, model, join_key,
          rollout_id, shadow_versions, shadow_outputs
        FROM batched;
      DROP TABLE predictions_before;
      ALTER TABLE predictions ADD PRIMARY KEY (prediction_id);
      CREATE INDEX predictions_as_of ON predictions (endpoint, as_of);
      CREATE INDEX predictions_join_key ON predictions (join_key, endpoint);
      CREATE INDEX predictions_rollout ON predictions (rollout_id, as_of) WHERE rollout_id <> '';
      CREATE VIEW served_predictions AS
        SELECT p.prediction_id, p.endpoint, p.model, p.version, p.join_key, p.as_of, p.output, p.shadow_versions,
            p.shadow_outputs, p.rollout_id, p.fallback, b.layout, l.names,
            substring(b.features FROM p.place * 8 * cardinality(l.names) + 1 FOR 8 * cardinality(l.names)) AS features,
            b.log_partition, p.log_offset, p.published,
            ${ofPlace('causation_ids')} AS causation_id,
            coalesce(${ofPlace('correlation_ids')}, p.prediction_id) AS correlation_id,
            ${ofPlace('traceparents')} AS traceparent
          FROM predictions p JOIN prediction_batches b ON b.batch = p.batch
          JOIN feature_layouts l ON l.layout = b.layout;
    `);
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query(`
      DROP VIEW served_predictions;
      DROP TABLE predictions, prediction_batches;
      DROP SEQUENCE prediction_batch_numbers`);
    // What they held is on the log: the migrations before this one make the old table, `headrace replay` fills it.
    await runner.query(`
      CREATE TABLE predictions (
        prediction_id text PRIMARY KEY, endpoint text NOT NULL, model text NOT NULL, version bigint NOT NULL,
        assignment text NOT NULL, join_key text NOT NULL, as_of bigint NOT NULL, layout text NOT NULL,
        features double precision[] NOT NULL, output double precision NOT NULL, shadow_versions bigint[] NOT NULL,
        shadow_outputs double precision[] NOT NULL, rollout_id text NOT NULL, fallback boolean NOT NULL,
        log_partition integer NOT NULL, log_offset bigint NOT NULL, published bigint NOT NULL, causation_id text NOT NULL,
        correlation_id text NOT NULL, traceparent text);
      CREATE INDEX predictions_as_of ON predictions (endpoint, as_of);
      CREATE INDEX predictions_join_key ON predictions (join_key, endpoint);
      CREATE INDEX predictions_rollout ON predictions (rollout_id, as_of) WHERE rollout_id <> ''`);
  }
}

/** Of the batches that the rows of before become. */
const ROWS = 500;

function ofPlace(column: string): string {
  return `CASE WHEN cardinality(b.${column}) = 1 THEN b.${column}[1] ELSE b.${column}[p.place + 1] END`;
}
