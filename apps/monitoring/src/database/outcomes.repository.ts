// Predictions joined with their labels.
import { textArray } from '@headrace/messaging';
import type { Pair } from '@headrace/statistics';
import { scoreOf } from './predictions.repository';
import type { Queries } from './sql';

/** An endpoint whose predictions take their labels from a source. */
export interface Judged {
  readonly endpoint: string;
  readonly source: string;
}

export interface Joined {
  readonly source: string;
  readonly predictionId: string;
  readonly endpoint: string;
  readonly model: string;
  readonly version: number;
  readonly output: number;
  readonly joinKey: string;
  readonly asOfMicros: number;
  readonly label: number;
  readonly labelEventTimeMicros: number;
  readonly labelKnownMicros: number;
  readonly labelEventId: string;
  readonly labelCorrelationId: string;
  readonly labelTraceparent: string | null;
  /** False: a label that was corrected. */
  readonly isNew: boolean;
}

/**
 * Predictions and labels come in any order, in transactions that do not see each other: each writes its own, then takes
 * this lock and joins, and holds it until its commit. So the one that joins second sees what the first wrote. Rows that
 * transactions share (counters) are written behind the lock: nobody waits for it while it holds what others want.
 */
export async function lockSources(queries: Queries, sources: readonly string[]): Promise<void> {
  for (const source of [...new Set(sources)].sort()) {
    await queries.query(`SELECT pg_advisory_xact_lock(hashtext(current_schema() || '/join'), hashtext($1))`, [source]);
  }
}

const JOIN = `
  WITH joined AS (
    INSERT INTO outcomes (source, prediction_id, endpoint, as_of, version, output, shadow_versions, shadow_outputs,
        rollout_id, label, label_event_time, label_known_time, label_published)
    SELECT l.source, p.prediction_id, p.endpoint, p.as_of, p.version, p.output, p.shadow_versions, p.shadow_outputs,
        p.rollout_id, l.value, l.event_time, l.known_time, l.published
      FROM matched JOIN predictions p ON p.prediction_id = matched.prediction_id
      JOIN labels l ON l.source = matched.source AND l.key = p.join_key
     WHERE NOT p.fallback
    ON CONFLICT (source, prediction_id) DO UPDATE
       SET label = excluded.label, label_event_time = excluded.label_event_time,
           label_known_time = excluded.label_known_time, label_published = excluded.label_published
     WHERE excluded.label_known_time > outcomes.label_known_time
    RETURNING source, prediction_id, label, label_event_time, label_known_time, xmax = 0 AS is_new
  )
  SELECT joined.source, joined.prediction_id AS "predictionId", p.endpoint, p.model, p.version::float8 AS version,
      p.output, p.join_key AS "joinKey", p.as_of::float8 AS "asOfMicros", joined.label,
      joined.label_event_time::float8 AS "labelEventTimeMicros",
      joined.label_known_time::float8 AS "labelKnownMicros", l.event_id AS "labelEventId",
      l.correlation_id AS "labelCorrelationId", l.traceparent AS "labelTraceparent", joined.is_new AS "isNew"
    FROM joined JOIN predictions p ON p.prediction_id = joined.prediction_id
    JOIN labels l ON l.source = joined.source AND l.key = p.join_key`;

/** Joins new predictions with the labels that came before them. The sources are locked. */
export function joinPredictions(
  queries: Queries,
  predictions: readonly { readonly predictionId: string; readonly endpoint: string; readonly joinKey: string }[],
  judged: readonly Judged[],
): Promise<Joined[]> {
  // Nearly none has a label yet: only those that do are looked up again.
  const matched = `SELECT i.id AS prediction_id, j.source
     FROM unnest($1::text[], $2::text[], $3::text[]) AS i (id, endpoint, key)
     JOIN unnest($4::text[], $5::text[]) AS j (endpoint, source) ON j.endpoint = i.endpoint
     JOIN labels known ON known.source = j.source AND known.key = i.key`;
  return queries.query<Joined>(withMatched(matched), [
    textArray(predictions.map((one) => one.predictionId)),
    textArray(predictions.map((one) => one.endpoint)),
    textArray(predictions.map((one) => one.joinKey)),
    judged.map((one) => one.endpoint),
    judged.map((one) => one.source),
  ]);
}

/** Joins new labels and corrections with the predictions that came before them. The sources are locked. */
export function joinLabels(
  queries: Queries,
  labels: readonly { readonly source: string; readonly key: string }[],
  judged: readonly Judged[],
): Promise<Joined[]> {
  const matched = `SELECT p.prediction_id, j.source
     FROM unnest($1::text[], $2::text[]) AS i (source, key)
     JOIN unnest($3::text[], $4::text[]) AS j (endpoint, source) ON j.source = i.source
     JOIN predictions p ON p.join_key = i.key AND p.endpoint = j.endpoint`;
  return queries.query<Joined>(withMatched(matched), [
    labels.map((label) => label.source),
    labels.map((label) => label.key),
    judged.map((one) => one.endpoint),
    judged.map((one) => one.source),
  ]);
}

function withMatched(matched: string): string {
  return JOIN.replace('WITH joined', `WITH matched AS (${matched}), joined`);
}

export interface LabelledScore {
  readonly predictionId: string;
  readonly label: number;
  /** Of the version. */
  readonly score: number;
  /** What was answered, and by which version. */
  readonly output: number;
  readonly answeredBy: number;
}

/** Outcomes that the version scored, with label event time within [from, to), in that order. */
export function readLabelledScores(
  queries: Queries,
  judged: Judged,
  version: number,
  fromMicros: number,
  toMicros: number,
): Promise<LabelledScore[]> {
  return queries.query<LabelledScore>(
    `SELECT prediction_id AS "predictionId", label, score, output, version::float8 AS "answeredBy"
       FROM (SELECT prediction_id, label, label_event_time, version, output, ${scoreOf('$3')} AS score
               FROM outcomes
              WHERE source = $1 AND endpoint = $2 AND label_event_time >= $4 AND label_event_time < $5) AS scored
      WHERE score IS NOT NULL ORDER BY label_event_time, prediction_id`,
    [judged.source, judged.endpoint, version, fromMicros, toMicros],
  );
}

export async function nextLabelTime(queries: Queries, judged: Judged, fromMicros: number): Promise<number | undefined> {
  const [row] = await queries.query<{ time: number | null }>(
    `SELECT min(label_event_time)::float8 AS time
       FROM outcomes WHERE source = $1 AND endpoint = $2 AND label_event_time >= $3`,
    [judged.source, judged.endpoint, fromMicros],
  );
  return row?.time ?? undefined;
}

/** Labelled requests of a rollout that both versions scored, by squared error; label event time within [from, to). */
export async function readPairs(
  queries: Queries,
  source: string,
  rollout: { readonly rolloutId: string; readonly champion: number; readonly candidate: number },
  fromMicros: number | undefined,
  toMicros: number | undefined,
): Promise<Pair[]> {
  return queries.query<Pair>(
    `SELECT prediction_id AS "predictionId", label_event_time::float8 AS "timeMicros",
        (champion - label) * (champion - label) - (candidate - label) * (candidate - label) AS difference
       FROM (SELECT prediction_id, label_event_time, label, ${scoreOf('$3')} AS champion, ${scoreOf('$4')} AS candidate
               FROM outcomes
              WHERE source = $1 AND rollout_id = $2 AND rollout_id <> ''
                AND ($5::bigint IS NULL OR label_event_time >= $5) AND ($6::bigint IS NULL OR label_event_time < $6)
            ) AS scored
      WHERE champion IS NOT NULL AND candidate IS NOT NULL ORDER BY label_event_time, prediction_id`,
    [source, rollout.rolloutId, rollout.champion, rollout.candidate, fromMicros ?? null, toMicros ?? null],
  );
}

export interface ComparableRow {
  readonly label: number;
  /** Answered by this one … */
  readonly version: number;
  readonly output: number;
  /** … and scored by these. */
  readonly shadowVersions: readonly number[];
  readonly shadowOutputs: readonly number[];
}

/** Labelled rows of an endpoint with as-of time within [from, to). */
export async function readOutcomes(
  queries: Queries,
  judged: Judged,
  fromMicros: number,
  toMicros: number | undefined,
): Promise<ComparableRow[]> {
  return queries.query<ComparableRow>(
    `SELECT label, version::float8 AS version, output, shadow_versions::float8[] AS "shadowVersions",
        shadow_outputs AS "shadowOutputs"
       FROM outcomes
      WHERE source = $1 AND endpoint = $2 AND as_of >= $3 AND ($4::bigint IS NULL OR as_of < $4)
      ORDER BY as_of, prediction_id`,
    [judged.source, judged.endpoint, fromMicros, toMicros ?? null],
  );
}

export interface LabelOfPrediction {
  readonly stream: string;
  readonly label: number;
  readonly eventTimeMicros: number;
  readonly knownTimeMicros: number;
  readonly eventId: string;
}

/** What came true about one prediction, by these sources. */
export function readLabelsOf(
  queries: Queries,
  predictionId: string,
  sources: readonly string[],
): Promise<LabelOfPrediction[]> {
  // A source's id is "<stream>#<hash>" (label-source.ts).
  return queries.query<LabelOfPrediction>(
    `SELECT split_part(o.source, '#', 1) AS stream, o.label, o.label_event_time::float8 AS "eventTimeMicros",
        o.label_known_time::float8 AS "knownTimeMicros", coalesce(l.event_id, '') AS "eventId"
       FROM outcomes o
       LEFT JOIN predictions p ON p.prediction_id = o.prediction_id
       LEFT JOIN labels l ON l.source = o.source AND l.key = p.join_key AND l.known_time = o.label_known_time
      WHERE o.source = ANY ($2::text[]) AND o.prediction_id = $1 ORDER BY o.source`,
    [predictionId, sources],
  );
}

export async function labelPublished(
  queries: Queries,
  source: string,
  predictionId: string,
): Promise<number | undefined> {
  const [row] = await queries.query<{ published: number }>(
    'SELECT label_published::float8 AS published FROM outcomes WHERE source = $1 AND prediction_id = $2',
    [source, predictionId],
  );
  return row?.published;
}

/** The labelled request of a rollout whose label happened last. */
export async function lastPair(queries: Queries, source: string, rolloutId: string): Promise<string | undefined> {
  const [row] = await queries.query<{ id: string }>(
    `SELECT prediction_id AS id FROM outcomes WHERE source = $1 AND rollout_id = $2 AND rollout_id <> ''
      ORDER BY label_event_time DESC, prediction_id DESC LIMIT 1`,
    [source, rolloutId],
  );
  return row?.id;
}
