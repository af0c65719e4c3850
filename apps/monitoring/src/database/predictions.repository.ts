import { createHash } from 'node:crypto';
import { events, topics } from '@headrace/contracts';
import type { EventRef } from '@headrace/contracts/proto/common/v1/common';
import type { PredictionServed } from '@headrace/contracts/proto/inference/v1/inference_events';
import type { Cause, ReceivedEvent } from '@headrace/messaging';
import { arrayLiteral, type Queries } from './sql';

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
  const layoutOf = (names: readonly string[]): string => {
    const layout = createHash('sha256').update(names.join('\n')).digest('hex').slice(0, 16);
    layouts.set(layout, names);
    return layout;
  };
  const rowLayouts = served.map((event) => layoutOf(event.data.featureNames));
  await saveLayouts(queries, layouts);
  const column = <V>(of: (event: ServedEvent) => V): V[] => served.map(of);
  const rows = await queries.query<{ prediction_id: string }>(
    `INSERT INTO predictions (prediction_id, endpoint, model, version, assignment, join_key, as_of, layout, features,
        output, shadow_versions, shadow_outputs, rollout_id, fallback, log_partition, log_offset, published,
        causation_id, correlation_id, traceparent)
     SELECT prediction_id, endpoint, model, version, assignment, join_key, as_of, layout, features::double precision[],
        output, shadow_versions::bigint[], shadow_outputs::double precision[], rollout_id, fallback, log_partition,
        log_offset, published, causation_id, correlation_id, traceparent
       FROM unnest($1::text[], $2::text[], $3::text[], $4::bigint[], $5::text[], $6::text[], $7::bigint[], $8::text[],
          $9::text[], $10::double precision[], $11::text[], $12::text[], $13::text[], $14::boolean[], $15::int[],
          $16::bigint[], $17::bigint[], $18::text[], $19::text[], $20::text[])
         AS served (prediction_id, endpoint, model, version, assignment, join_key, as_of, layout, features, output,
          shadow_versions, shadow_outputs, rollout_id, fallback, log_partition, log_offset, published, causation_id,
          correlation_id, traceparent)
     ON CONFLICT (prediction_id) DO NOTHING
     RETURNING prediction_id`,
    [
      column(({ data }) => data.predictionId),
      column(({ data }) => data.endpoint),
      column(({ data }) => data.model),
      column(({ data }) => data.version),
      column(({ data }) => data.assignment),
      column(({ data }) => data.joinKey),
      column(({ data }) => data.asOfMicros),
      rowLayouts,
      column(({ data }) => arrayLiteral(data.featureValues)),
      column(({ data }) => data.output),
      column(({ data }) => arrayLiteral(data.shadowScores.map((score) => score.version))),
      column(({ data }) => arrayLiteral(data.shadowScores.map((score) => score.output))),
      column(({ data }) => data.rolloutId),
      column(({ data }) => data.fallback),
      column((event) => event.partition),
      column((event) => event.offset),
      column((event) => event.timeMicros),
      column((event) => event.causationId),
      column((event) => event.correlationId),
      column((event) => event.traceparent ?? null),
    ],
  );
  return new Set(rows.map((row) => row.prediction_id));
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
  readonly features: readonly number[];
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
  const rows = await queries.query<{ prediction_id: string; layout: string; features: number[]; score: number }>(
    `SELECT prediction_id, layout, features, score
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
    features: row.features,
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
