// The queue of predictions that people are asked about. Bounded for each monitor and reason.
import type { LabelCandidate, LabelChoice, LabelReason } from '../domain/label-choice';
import { float8sOf } from './float8s';
import type { Judged } from './outcomes.repository';
import type { Queries } from './sql';

/** Newer candidates than these are not looked at in one round. */
const MOST_CANDIDATES = 5_000;
/** Answers are on the log for ever; here they are kept to be looked at. */
const ANSWERS_KEPT_DAYS = 60;

export interface Candidates {
  readonly newestMicros: number | undefined;
  readonly rows: readonly LabelCandidate[];
}

/** Unlabelled predictions of the last `withinMicros` before the newest that are not in the queue. */
export async function readCandidates(queries: Queries, judged: Judged, withinMicros: number): Promise<Candidates> {
  const [newest] = await queries.query<{ newest: number | null }>(
    'SELECT max(as_of)::float8 AS newest FROM predictions WHERE endpoint = $1',
    [judged.endpoint],
  );
  const newestMicros = newest?.newest ?? undefined;
  if (newestMicros === undefined) return { newestMicros, rows: [] };
  const rows = await queries.query<Stored<LabelCandidate>>(
    `SELECT p.prediction_id AS "predictionId", p.names, p.features, p.output
       FROM served_predictions p
      WHERE p.endpoint = $1 AND p.as_of > $2 AND NOT p.fallback
        AND NOT EXISTS (SELECT 1 FROM outcomes o WHERE o.source = $3 AND o.prediction_id = p.prediction_id)
        AND NOT EXISTS (SELECT 1 FROM label_items i WHERE i.prediction_id = p.prediction_id)
      ORDER BY p.as_of DESC LIMIT $4`,
    [judged.endpoint, newestMicros - withinMicros, judged.source, MOST_CANDIDATES],
  );
  return { newestMicros, rows: rows.map(withFeatures) };
}

/** A row whose features are bytes. */
type Stored<T extends { readonly features: unknown }> = Omit<T, 'features'> & { readonly features: Buffer };

function withFeatures<T extends { readonly features: Buffer }>(
  row: T,
): Omit<T, 'features'> & { features: Float64Array } {
  return { ...row, features: float8sOf(row.features) };
}

/** Nobody is asked any more about what is too old, or what a label came for by itself. What somebody has leased stays. */
export async function forgetItems(
  queries: Queries,
  monitor: string,
  source: string,
  beforeMicros: number,
): Promise<void> {
  await queries.query(
    `DELETE FROM label_items i
      WHERE monitor = $1 AND answered_at IS NULL AND (leased_until IS NULL OR leased_until < now())
        AND (as_of <= $2 OR EXISTS (SELECT 1 FROM outcomes o WHERE o.source = $3 AND o.prediction_id = i.prediction_id))`,
    [monitor, beforeMicros, source],
  );
  await queries.query(
    `DELETE FROM label_items WHERE monitor = $1 AND published_at < now() - make_interval(days => $2)`,
    [monitor, ANSWERS_KEPT_DAYS],
  );
}

/** Puts choices in that are better than the least there, then lets the least of each reason go until there are `most`. */
export async function addItems(
  queries: Queries,
  monitor: string,
  choices: readonly LabelChoice[],
  most: number,
): Promise<void> {
  const floors = await queries.query<{ reason: string; priority: number }>(
    `SELECT reason, priority FROM (
       SELECT reason, priority, row_number() OVER (PARTITION BY reason ORDER BY priority DESC) AS place
         FROM label_items WHERE monitor = $1 AND answered_at IS NULL) AS ranked
      WHERE place = $2`,
    [monitor, most],
  );
  const floorOf = new Map(floors.map(({ reason, priority }) => [reason, priority]));
  const better = choices.filter(({ reason, priority }) => priority > (floorOf.get(reason) ?? -1));
  if (better.length > 0) {
    await queries.query(
      `INSERT INTO label_items (prediction_id, monitor, reason, priority, as_of)
       SELECT c.id, $1, c.reason, c.priority, p.as_of
         FROM unnest($2::text[], $3::text[], $4::float8[]) AS c (id, reason, priority)
         JOIN predictions p ON p.prediction_id = c.id
       ON CONFLICT DO NOTHING`,
      [
        monitor,
        better.map(({ predictionId }) => predictionId),
        better.map(({ reason }) => reason),
        better.map(({ priority }) => priority),
      ],
    );
  }
  await queries.query(
    `DELETE FROM label_items WHERE prediction_id IN (
       SELECT prediction_id FROM (
         SELECT prediction_id, leased_until,
             row_number() OVER (PARTITION BY reason ORDER BY priority DESC, prediction_id) AS place
           FROM label_items WHERE monitor = $1 AND answered_at IS NULL) AS ranked
        WHERE place > $2 AND (leased_until IS NULL OR leased_until < now()))
       AND answered_at IS NULL`,
    [monitor, most],
  );
}

export interface QueueCount {
  readonly reason: LabelReason;
  readonly open: number;
  readonly taken: number;
}

/** Of a monitor: what nobody has answered, by whether somebody has it. */
export function countItems(queries: Queries, monitor: string): Promise<QueueCount[]> {
  return queries.query<QueueCount>(
    `SELECT reason, count(*) FILTER (WHERE leased_until >= now())::int AS taken,
        count(*) FILTER (WHERE leased_until IS NULL OR leased_until < now())::int AS open
       FROM label_items WHERE monitor = $1 AND answered_at IS NULL GROUP BY reason`,
    [monitor],
  );
}

export interface LeasedItem {
  readonly predictionId: string;
  readonly reason: LabelReason;
  readonly priority: number;
  readonly lease: string;
  readonly leasedUntil: Date;
  readonly endpoint: string;
  readonly joinKey: string;
  readonly asOfMicros: number;
  readonly version: number;
  readonly output: number;
  readonly names: readonly string[];
  readonly features: readonly number[] | Float64Array;
}

const ITEM = `i.prediction_id AS "predictionId", i.reason, i.priority, i.lease, i.leased_until AS "leasedUntil", p.endpoint,
  p.join_key AS "joinKey", p.as_of::float8 AS "asOfMicros", p.version::float8 AS version, p.output, p.names, p.features`;

/** The best of a reason that nobody has, for `seconds`. Two who ask at once get different ones. */
export async function leaseItem(
  queries: Queries,
  monitor: string,
  reason: LabelReason,
  by: string,
  seconds: number,
): Promise<LeasedItem | undefined> {
  const [item] = await queries.query<Stored<LeasedItem>>(
    `WITH chosen AS (
       SELECT prediction_id FROM label_items
        WHERE monitor = $1 AND reason = $2 AND answered_at IS NULL AND (leased_until IS NULL OR leased_until < now())
        ORDER BY priority DESC, prediction_id LIMIT 1 FOR UPDATE SKIP LOCKED),
     i AS (
       UPDATE label_items SET lease = gen_random_uuid(), leased_by = $3, leased_until = now() + make_interval(secs => $4)
        WHERE prediction_id = (SELECT prediction_id FROM chosen) RETURNING *)
     SELECT ${ITEM} FROM i JOIN served_predictions p ON p.prediction_id = i.prediction_id`,
    [monitor, reason, by, seconds],
  );
  return item && withFeatures(item);
}

export interface HeldItem {
  readonly monitor: string;
  readonly joinKey: string;
  readonly asOfMicros: number;
  readonly holds: boolean;
  readonly answeredBy: string | null;
}

/** For an answer: locked until the transaction ends. `holds`: the lease is this one and has not expired. */
export async function heldItem(queries: Queries, predictionId: string, lease: string): Promise<HeldItem | undefined> {
  const [item] = await queries.query<HeldItem>(
    `SELECT i.monitor, p.join_key AS "joinKey", p.as_of::float8 AS "asOfMicros", i.answered_by AS "answeredBy",
        coalesce(i.lease::text = $2 AND i.leased_until >= now(), false) AS holds
       FROM label_items i JOIN predictions p ON p.prediction_id = i.prediction_id
      WHERE i.prediction_id = $1 FOR UPDATE OF i`,
    [predictionId, lease],
  );
  return item;
}

export async function saveAnswer(
  queries: Queries,
  predictionId: string,
  answer: { readonly by: string; readonly topic: string; readonly record: object },
): Promise<void> {
  await queries.query(
    `UPDATE label_items SET answered_by = $2, answered_at = now(), topic = $3, record = $4 WHERE prediction_id = $1`,
    [predictionId, answer.by, answer.topic, JSON.stringify(answer.record)],
  );
}

export interface UnpublishedAnswer {
  readonly predictionId: string;
  readonly joinKey: string;
  readonly topic: string;
  readonly record: Readonly<Record<string, unknown>>;
  readonly answeredAt: Date;
}

export function unpublishedAnswers(queries: Queries): Promise<UnpublishedAnswer[]> {
  return queries.query<UnpublishedAnswer>(
    `SELECT i.prediction_id AS "predictionId", p.join_key AS "joinKey", i.topic, i.record, i.answered_at AS "answeredAt"
       FROM label_items i JOIN predictions p ON p.prediction_id = i.prediction_id
      WHERE i.answered_at IS NOT NULL AND i.published_at IS NULL ORDER BY i.answered_at LIMIT 500`,
  );
}

export async function markPublished(queries: Queries, ids: readonly string[]): Promise<void> {
  await queries.query('UPDATE label_items SET published_at = now() WHERE prediction_id = ANY($1::text[])', [ids]);
}

export interface ListedItem {
  readonly predictionId: string;
  readonly reason: LabelReason;
  readonly priority: number;
  readonly asOfMicros: number;
  readonly leasedBy: string | null;
  readonly leasedUntil: Date | null;
  readonly answeredBy: string | null;
  readonly answeredAt: Date | null;
  readonly published: boolean;
}

/** Open ones first, the newest answers after them. */
export function listItems(queries: Queries, monitor: string, limit: number): Promise<ListedItem[]> {
  return queries.query<ListedItem>(
    `SELECT prediction_id AS "predictionId", reason, priority, as_of::float8 AS "asOfMicros",
        CASE WHEN leased_until >= now() THEN leased_by END AS "leasedBy",
        CASE WHEN leased_until >= now() THEN leased_until END AS "leasedUntil",
        answered_by AS "answeredBy", answered_at AS "answeredAt", published_at IS NOT NULL AS published
       FROM label_items WHERE monitor = $1
      ORDER BY answered_at DESC NULLS FIRST, reason, priority DESC, prediction_id LIMIT $2`,
    [monitor, limit],
  );
}
