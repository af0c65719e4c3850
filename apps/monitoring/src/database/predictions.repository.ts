import { events, topics } from '@headrace/contracts';
import type { EventRef } from '@headrace/contracts/proto/common/v1/common';
import { boolArray, byteaArray, float8Array, int4Array, int8Array, textArray, type Cause } from '@headrace/messaging';
import {
  asOfBytes,
  batchesOf,
  featureBytes,
  scoreBytes,
  type PredictionBatch,
  type ServedEvent,
} from './prediction-batches';
import type { Queries } from './sql';

/** Nearly always known already, so looked up first: an insert would wait for other transactions that try the same. */
async function saveLayouts(queries: Queries, batches: readonly PredictionBatch[]): Promise<void> {
  const names = new Map(batches.map(({ layout }) => [layout.id, layout.names]));
  const known = await queries.query<{ layout: string }>(
    'SELECT layout FROM feature_layouts WHERE layout = ANY($1::text[])',
    [[...names.keys()]],
  );
  for (const { layout } of known) names.delete(layout);
  for (const layout of [...names.keys()].sort()) {
    await queries.query('INSERT INTO feature_layouts (layout, names) VALUES ($1, $2) ON CONFLICT DO NOTHING', [
      layout,
      names.get(layout),
    ]);
  }
}

/** Writes those that are new, and returns them in their order. */
export async function insertPredictions(queries: Queries, served: readonly ServedEvent[]): Promise<ServedEvent[]> {
  const ids = new Set<string>();
  const once = served.filter(({ data }) => ids.size < ids.add(data.predictionId).size);
  if (once.length === 0) return [];
  const batches = batchesOf(once);
  await saveLayouts(queries, batches);
  const { numbers, written } = await writeBatches(queries, batches);
  if (written === once.length) return once;
  // Some were here before: a batch holds new ones alone, or windows would count the others twice.
  const taken = await queries.query<{ id: string }>(
    `WITH gone AS (DELETE FROM prediction_batches WHERE batch = ANY($1::bigint[])),
     taken AS (
       DELETE FROM predictions WHERE prediction_id = ANY($2::text[]) AND batch = ANY($1::bigint[])
       RETURNING prediction_id AS id)
     SELECT id FROM taken`,
    [numbers, textArray(once.map(({ data }) => data.predictionId))],
  );
  const isNew = new Set(taken.map(({ id }) => id));
  const fresh = once.filter(({ data }) => isNew.has(data.predictionId));
  if (fresh.length > 0) await writeBatches(queries, batchesOf(fresh));
  return fresh;
}

/** Batches with all of their rows; of the rows those that are not there yet. */
async function writeBatches(
  queries: Queries,
  batches: readonly PredictionBatch[],
): Promise<{ readonly numbers: readonly string[]; readonly written: number }> {
  const of = <V>(value: (batch: PredictionBatch) => V): V[] => batches.map(value);
  const each = <V>(value: (event: ServedEvent) => V): V[] => batches.flatMap((batch) => batch.events.map(value));
  const times = of(({ events: all }) => all.map(({ data }) => data.asOfMicros));
  const versions = slicesOf(of((batch) => batch.versions));
  const causations = slicesOf(of(({ events: all }) => shared(all.map((event) => event.causationId))));
  const correlations = slicesOf(
    of(({ events: all }) =>
      shared(all.map(({ correlationId, data }) => (correlationId === data.predictionId ? null : correlationId))),
    ),
  );
  const traces = slicesOf(of(({ events: all }) => shared(all.map((event) => event.traceparent ?? null))));
  const shadows = slicesOf(each(({ data }) => data.shadowScores));
  const [found] = await queries.query<{ numbers: string[]; written: number }>(
    `WITH numbers AS MATERIALIZED (
       SELECT array_agg(nextval('prediction_batch_numbers')) AS of FROM unnest($1::text[])
     ), batches AS MATERIALIZED (
       SELECT numbers.of[nth] AS batch, given.*
         FROM numbers, unnest($1::text[], $2::text[], $3::text[], $4::boolean[], $5::text[], $6::int[], $7::bigint[],
            $8::bigint[], $9::bytea[], $10::bytea[], $11::bytea[], $13::int[], $14::int[], $16::int[], $17::int[],
            $19::int[], $20::int[], $22::int[], $23::int[]) WITH ORDINALITY
            AS given (endpoint, model, rollout_id, fallback, layout, log_partition, from_as_of, to_as_of, as_of, scores,
              features, versions_from, versions_to, causations_from, causations_to, correlations_from, correlations_to,
              traces_from, traces_to, nth)
     ), kept AS (
       INSERT INTO prediction_batches (batch, from_as_of, to_as_of, log_partition, endpoint, layout, versions, as_of, scores,
          features, causation_ids, correlation_ids, traceparents)
       SELECT batch, from_as_of, to_as_of, log_partition, endpoint, layout,
          ($12::bigint[])[versions_from:versions_to], as_of, scores, features,
          ($15::text[])[causations_from:causations_to], ($18::text[])[correlations_from:correlations_to],
          ($21::text[])[traces_from:traces_to]
         FROM batches
     ), written AS (
       INSERT INTO predictions (as_of, version, output, log_offset, published, batch, place, fallback, prediction_id,
          endpoint, model, join_key, rollout_id, shadow_versions, shadow_outputs)
       SELECT served.as_of, version, output, log_offset, published, batch, place, fallback, prediction_id, endpoint, model,
          join_key, rollout_id, ($33::bigint[])[shadows_from:shadows_to],
          ($34::double precision[])[shadows_from:shadows_to]
         FROM unnest($24::text[], $25::text[], $26::bigint[], $27::bigint[], $28::double precision[], $29::bigint[],
            $30::bigint[], $31::int[], $32::int[], $35::int[], $36::int[])
            AS served (prediction_id, join_key, as_of, version, output, log_offset, published, nth, place, shadows_from,
              shadows_to)
         JOIN batches USING (nth)
       ON CONFLICT (prediction_id) DO NOTHING
       RETURNING 1
     )
     SELECT numbers.of::text[] AS numbers, (SELECT count(*)::int FROM written) AS written FROM numbers`,
    [
      textArray(of((batch) => batch.endpoint)),
      textArray(of((batch) => batch.model)),
      textArray(of((batch) => batch.rolloutId)),
      boolArray(of((batch) => batch.fallback)),
      textArray(of((batch) => batch.layout.id)),
      int4Array(of((batch) => batch.partition)),
      int8Array(times.map((of) => of.reduce((least, time) => Math.min(least, time), Infinity))),
      int8Array(times.map((of) => of.reduce((most, time) => Math.max(most, time), -Infinity))),
      byteaArray(of(asOfBytes)),
      byteaArray(of(scoreBytes)),
      byteaArray(of(featureBytes)),
      int8Array(versions.all),
      int4Array(versions.from),
      int4Array(versions.to),
      textArray(causations.all),
      int4Array(causations.from),
      int4Array(causations.to),
      textArray(correlations.all),
      int4Array(correlations.from),
      int4Array(correlations.to),
      textArray(traces.all),
      int4Array(traces.from),
      int4Array(traces.to),
      textArray(each(({ data }) => data.predictionId)),
      textArray(each(({ data }) => data.joinKey)),
      int8Array(times.flat()),
      int8Array(each(({ data }) => data.version)),
      float8Array(each(({ data }) => data.output)),
      int8Array(each((event) => event.offset)),
      int8Array(each((event) => event.timeMicros)),
      int4Array(batches.flatMap((batch, index) => batch.events.map(() => index + 1))),
      int4Array(batches.flatMap((batch) => batch.events.map((_, place) => place))),
      int8Array(shadows.all.map((score) => score.version)),
      float8Array(shadows.all.map((score) => score.output)),
      int4Array(shadows.from),
      int4Array(shadows.to),
    ],
  );
  return found ?? { numbers: [], written: 0 };
}

/** One for all of them where all are the same. */
function shared<T>(values: readonly T[]): readonly T[] {
  return values.every((value) => value === values[0]) ? values.slice(0, 1) : values;
}

interface Slices<T> {
  readonly all: T[];
  readonly from: number[];
  readonly to: number[];
}

/** Lists one after the other, and where each begins and ends, from 1: unnest would flatten arrays of arrays. */
function slicesOf<T>(lists: readonly (readonly T[])[]): Slices<T> {
  const slices: Slices<T> = { all: [], from: [], to: [] };
  for (const list of lists) {
    slices.from.push(slices.all.length + 1);
    for (const one of list) slices.all.push(one);
    slices.to.push(slices.all.length);
  }
  return slices;
}

/** One prediction on the log: evidence names it, and what it decides follows from it. */
export interface PredictionRef {
  readonly ref: EventRef;
  readonly cause: Cause;
  /** Wall clock at which the gateway published it. */
  readonly publishedMicros: number;
}

export async function findPredictionRef(queries: Queries, predictionId: string): Promise<PredictionRef | undefined> {
  const [row] = await queries.query<{
    log_partition: number;
    log_offset: number;
    published: number;
    causation_id: string;
    correlation_id: string;
    traceparent: string | null;
  }>(
    `SELECT log_partition, log_offset::float8 AS log_offset, published::float8 AS published, causation_id,
        correlation_id, traceparent
       FROM served_predictions WHERE prediction_id = $1`,
    [predictionId],
  );
  if (!row) return undefined;
  return {
    ref: {
      id: predictionId,
      type: events.PredictionServed.type,
      topic: topics.predictions.name,
      partition: row.log_partition,
      offset: row.log_offset,
      timeMicros: row.published,
      causationId: row.causation_id,
    },
    cause: {
      eventId: predictionId,
      correlationId: row.correlation_id,
      ...(row.traceparent === null ? {} : { traceparent: row.traceparent }),
    },
    publishedMicros: row.published,
  };
}

/** SQL: what a version (parameter) said about a row, as the answer or beside it; null when it was not asked. */
export function scoreOf(parameter: string): string {
  return `CASE WHEN version = ${parameter} THEN output
    ELSE shadow_outputs[array_position(shadow_versions, ${parameter}::bigint)] END`;
}

/** The next as-of time at or after a moment. */
export async function nextPredictionTime(
  queries: Queries,
  endpoint: string,
  fromMicros: number,
): Promise<number | undefined> {
  const [row] = await queries.query<{ time: number | null }>(
    'SELECT min(as_of)::float8 AS time FROM predictions WHERE endpoint = $1 AND as_of >= $2',
    [endpoint, fromMicros],
  );
  return row?.time ?? undefined;
}

/** As-of time of the first request of a rollout. */
export async function firstOfRollout(queries: Queries, rolloutId: string): Promise<number | undefined> {
  const [row] = await queries.query<{ time: number | null }>(
    `SELECT min(as_of)::float8 AS time FROM predictions WHERE rollout_id = $1 AND rollout_id <> ''`,
    [rolloutId],
  );
  return row?.time ?? undefined;
}
