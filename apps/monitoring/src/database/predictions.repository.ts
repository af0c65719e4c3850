import { createHash } from 'node:crypto';
import { events, topics } from '@headrace/contracts';
import type { EventRef } from '@headrace/contracts/proto/common/v1/common';
import type { PredictionServed } from '@headrace/contracts/proto/inference/v1/inference_events';
import {
  boolArray,
  float8Array,
  int4Array,
  int8Array,
  textArray,
  toFloat8s,
  type Cause,
  type ReceivedEvent,
} from '@headrace/messaging';
import type { Queries } from './sql';

export type ServedEvent = ReceivedEvent<PredictionServed>;

/** Nearly always known already, so looked up first: an insert would wait for other transactions that try the same. */
async function saveLayouts(queries: Queries, layouts: ReadonlyMap<string, readonly string[]>): Promise<void> {
  const known = await queries.query<{ layout: string }>(
    'SELECT layout FROM feature_layouts WHERE layout = ANY($1::text[])',
    [[...layouts.keys()]],
  );
  const names = new Map(layouts);
  for (const { layout } of known) names.delete(layout);
  for (const layout of [...names.keys()].sort()) {
    await queries.query('INSERT INTO feature_layouts (layout, names) VALUES ($1, $2) ON CONFLICT DO NOTHING', [
      layout,
      names.get(layout),
    ]);
  }
}

/** Writes those that are new and returns their ids. */
export async function insertPredictions(queries: Queries, served: readonly ServedEvent[]): Promise<Set<string>> {
  const layouts = new Map<string, readonly string[]>();
  const hashes = new Map<string, string>();
  const layoutOf = (names: readonly string[]): string => {
    const joined = names.join('\n');
    let layout = hashes.get(joined);
    if (layout === undefined) {
      layout = createHash('sha256').update(joined).digest('hex').slice(0, 16);
      hashes.set(joined, layout);
      layouts.set(layout, names);
    }
    return layout;
  };
  const rowLayouts = served.map((event) => layoutOf(event.data.featureNames));
  await saveLayouts(queries, layouts);
  const column = <V>(of: (event: ServedEvent) => V): V[] => served.map(of);
  const features = slicesOf(column(({ data }) => data.featureValues));
  const shadows = slicesOf(column(({ data }) => data.shadowScores));
  const rows = await queries.query<{ prediction_id: string }>(
    `INSERT INTO predictions (prediction_id, endpoint, model, version, assignment, join_key, as_of, layout, features,
        output, shadow_versions, shadow_outputs, rollout_id, fallback, log_partition, log_offset, published,
        causation_id, correlation_id, traceparent)
     SELECT prediction_id, endpoint, model, version, assignment, join_key, as_of, layout,
        ($18::double precision[])[features_from:features_to], output, ($19::bigint[])[shadows_from:shadows_to],
        ($20::double precision[])[shadows_from:shadows_to], rollout_id, fallback, log_partition, log_offset, published,
        causation_id, correlation_id, traceparent
       FROM unnest($1::text[], $2::text[], $3::text[], $4::bigint[], $5::text[], $6::text[], $7::bigint[], $8::text[],
          $9::double precision[], $10::text[], $11::boolean[], $12::int[], $13::bigint[], $14::bigint[], $15::text[],
          $16::text[], $17::text[], $21::int[], $22::int[], $23::int[], $24::int[])
         AS served (prediction_id, endpoint, model, version, assignment, join_key, as_of, layout, output, rollout_id,
          fallback, log_partition, log_offset, published, causation_id, correlation_id, traceparent, features_from,
          features_to, shadows_from, shadows_to)
     ON CONFLICT (prediction_id) DO NOTHING
     RETURNING prediction_id`,
    [
      textArray(column(({ data }) => data.predictionId)),
      textArray(column(({ data }) => data.endpoint)),
      textArray(column(({ data }) => data.model)),
      int8Array(column(({ data }) => data.version)),
      textArray(column(({ data }) => data.assignment)),
      textArray(column(({ data }) => data.joinKey)),
      int8Array(column(({ data }) => data.asOfMicros)),
      textArray(rowLayouts),
      float8Array(column(({ data }) => data.output)),
      textArray(column(({ data }) => data.rolloutId)),
      boolArray(column(({ data }) => data.fallback)),
      int4Array(column((event) => event.partition)),
      int8Array(column((event) => event.offset)),
      int8Array(column((event) => event.timeMicros)),
      textArray(column((event) => event.causationId)),
      textArray(column((event) => event.correlationId)),
      textArray(column((event) => event.traceparent ?? null)),
      float8Array(features.all),
      int8Array(shadows.all.map((score) => score.version)),
      float8Array(shadows.all.map((score) => score.output)),
      int4Array(features.from),
      int4Array(features.to),
      int4Array(shadows.from),
      int4Array(shadows.to),
    ],
  );
  return new Set(rows.map((row) => row.prediction_id));
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
       FROM predictions WHERE prediction_id = $1`,
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

export interface WindowPrediction {
  readonly names: readonly string[];
  readonly features: Float64Array;
  readonly score: number;
  readonly predictionId: string;
}

/** What the version scored within [from, to) of as-of time, in that order. */
export async function readScoredPredictions(
  queries: Queries,
  endpoint: string,
  version: number,
  fromMicros: number,
  toMicros: number,
): Promise<WindowPrediction[]> {
  // Numbers as the bytes that they are: as text they cost ten times as much here.
  const rows = await queries.query<{ prediction_id: string; layout: string; features: Buffer; score: number }>(
    `SELECT prediction_id, layout, array_send(features) AS features, score
       FROM (SELECT prediction_id, layout, features, as_of, ${scoreOf('$2')} AS score
               FROM predictions WHERE endpoint = $1 AND as_of >= $3 AND as_of < $4 AND NOT fallback) AS scored
      WHERE score IS NOT NULL ORDER BY as_of, prediction_id`,
    [endpoint, version, fromMicros, toMicros],
  );
  const layouts = new Map<string, readonly string[]>();
  for (const layout of new Set(rows.map((row) => row.layout))) {
    const [found] = await queries.query<{ names: string[] }>('SELECT names FROM feature_layouts WHERE layout = $1', [
      layout,
    ]);
    layouts.set(layout, found?.names ?? []);
  }
  return rows.map((row) => ({
    names: layouts.get(row.layout) ?? [],
    features: toFloat8s(row.features),
    score: row.score,
    predictionId: row.prediction_id,
  }));
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
