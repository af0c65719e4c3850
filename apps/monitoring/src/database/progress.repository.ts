import { topics } from '@headrace/contracts';
import type { PredictionPartition } from '../domain/progress';
import type { ServedEvent } from './prediction-batches';
import type { Queries } from './sql';

export async function advanceWatermark(
  queries: Queries,
  stream: string,
  partition: number,
  watermarkMicros: number,
): Promise<void> {
  await queries.query(
    `INSERT INTO stream_progress (stream, partition, watermark) VALUES ($1, $2, $3)
     ON CONFLICT (stream, partition) DO UPDATE SET watermark = greatest(stream_progress.watermark, excluded.watermark)`,
    [stream, partition, watermarkMicros],
  );
}

/** How far predictions have come, first answers of each champion, and counts; for predictions that are new. */
export async function countPredictions(queries: Queries, served: readonly ServedEvent[]): Promise<void> {
  const reached = new Groups<{ endpoint: string; partition: number; asOf: number }>();
  const starts = new Groups<{ endpoint: string; version: number; asOf: number }>();
  const counts = new Groups<{ endpoint: string; predictions: number; fallbacks: number }>();
  for (const { data, partition } of served) {
    const { endpoint, version, asOfMicros, fallback } = data;
    const place = reached.of(endpoint, partition, () => ({ endpoint, partition, asOf: asOfMicros }));
    place.asOf = Math.max(place.asOf, asOfMicros);
    if (!fallback && data.assignment === 'champion') {
      const start = starts.of(endpoint, version, () => ({ endpoint, version, asOf: asOfMicros }));
      start.asOf = Math.min(start.asOf, asOfMicros);
    }
    const count = counts.of(endpoint, 0, () => ({ endpoint, predictions: 0, fallbacks: 0 }));
    count.predictions += 1;
    if (fallback) count.fallbacks += 1;
  }
  // Sorted: transactions that write the same rows take them in the same order.
  const [places, champions, endpoints] = [reached.sorted(), starts.sorted(), counts.sorted()];
  await queries.query(
    `WITH progress AS (
       INSERT INTO prediction_progress (endpoint, partition, max_as_of)
       SELECT * FROM unnest($1::text[], $2::int[], $3::bigint[])
       ON CONFLICT (endpoint, partition) DO UPDATE
          SET max_as_of = greatest(prediction_progress.max_as_of, excluded.max_as_of), updated_at = clock_timestamp()
     ), starts AS (
       INSERT INTO champion_starts (endpoint, version, first_as_of)
       SELECT * FROM unnest($4::text[], $5::bigint[], $6::bigint[])
       ON CONFLICT (endpoint, version) DO UPDATE SET first_as_of = excluded.first_as_of
        WHERE excluded.first_as_of < champion_starts.first_as_of
     )
     INSERT INTO endpoint_counters (endpoint, predictions, fallbacks)
     SELECT * FROM unnest($7::text[], $8::bigint[], $9::bigint[])
     ON CONFLICT (endpoint) DO UPDATE SET predictions = endpoint_counters.predictions + excluded.predictions,
        fallbacks = endpoint_counters.fallbacks + excluded.fallbacks`,
    [
      places.map(({ endpoint }) => endpoint),
      places.map(({ partition }) => partition),
      places.map(({ asOf }) => asOf),
      champions.map(({ endpoint }) => endpoint),
      champions.map(({ version }) => version),
      champions.map(({ asOf }) => asOf),
      endpoints.map(({ endpoint }) => endpoint),
      endpoints.map(({ predictions }) => predictions),
      endpoints.map(({ fallbacks }) => fallbacks),
    ],
  );
}

/** Something for each (endpoint, number), made when it is first asked for. */
class Groups<V extends { readonly endpoint: string }> {
  private readonly groups = new Map<string, Map<number, V>>();

  of(endpoint: string, number: number, make: () => V): V {
    let ofEndpoint = this.groups.get(endpoint);
    if (!ofEndpoint) this.groups.set(endpoint, (ofEndpoint = new Map<number, V>()));
    const known = ofEndpoint.get(number);
    if (known) return known;
    const made = make();
    ofEndpoint.set(number, made);
    return made;
  }

  sorted(): V[] {
    return [...this.groups]
      .sort(([a], [b]) => (a < b ? -1 : 1))
      .flatMap(([, ofEndpoint]) => [...ofEndpoint].sort(([a], [b]) => a - b).map(([, value]) => value));
  }
}

export async function countJoined(queries: Queries, byEndpoint: ReadonlyMap<string, number>): Promise<void> {
  const endpoints = [...byEndpoint].sort(([a], [b]) => (a < b ? -1 : 1));
  await queries.query(
    `INSERT INTO endpoint_counters (endpoint, joined) SELECT * FROM unnest($1::text[], $2::bigint[])
     ON CONFLICT (endpoint) DO UPDATE SET joined = endpoint_counters.joined + excluded.joined`,
    [endpoints.map(([endpoint]) => endpoint), endpoints.map(([, count]) => count)],
  );
}

export interface Counters {
  readonly predictions: number;
  readonly fallbacks: number;
  readonly joined: number;
}

export async function readCounters(queries: Queries, endpoint: string): Promise<Counters> {
  const [row] = await queries.query<Counters>(
    `SELECT predictions::float8 AS predictions, fallbacks::float8 AS fallbacks, joined::float8 AS joined
       FROM endpoint_counters WHERE endpoint = $1`,
    [endpoint],
  );
  return row ?? { predictions: 0, fallbacks: 0, joined: 0 };
}

/** Watermark (known time) of a stream: the lowest of its partitions; −Infinity while one has none. */
export async function readWatermark(queries: Queries, stream: string): Promise<number> {
  const [row] = await queries.query<{ partitions: number; watermark: number | null }>(
    'SELECT count(*)::int AS partitions, min(watermark)::float8 AS watermark FROM stream_progress WHERE stream = $1',
    [stream],
  );
  if (!row || row.partitions < topics.data.partitions) return -Infinity;
  return row.watermark ?? -Infinity;
}

export async function readMaxLabelTime(queries: Queries, source: string): Promise<number> {
  const [row] = await queries.query<{ time: number | null }>(
    'SELECT max(event_time)::float8 AS time FROM labels WHERE source = $1',
    [source],
  );
  return row?.time ?? -Infinity;
}

/**
 * The partitions of the prediction log for one endpoint. `endOffsets` must have been read before: a partition is at its
 * end when the group's position has reached what was its end then.
 */
export async function readPredictionPartitions(
  queries: Queries,
  group: string,
  endpoint: string,
  endOffsets: ReadonlyMap<number, number>,
): Promise<PredictionPartition[]> {
  const rows = await queries.query<{
    partition: number;
    max_as_of: number | null;
    quiet_ms: number | null;
    next_offset: number | null;
  }>(
    `SELECT n.partition, p.max_as_of::float8 AS max_as_of, c.next_offset::float8 AS next_offset,
        (extract(epoch FROM clock_timestamp() - p.updated_at) * 1000)::float8 AS quiet_ms
       FROM unnest($1::int[]) AS n (partition)
       LEFT JOIN prediction_progress p ON p.endpoint = $2 AND p.partition = n.partition
       LEFT JOIN consumer_positions c ON c.consumer_group = $3 AND c.topic = $4 AND c.partition = n.partition`,
    [[...endOffsets.keys()], endpoint, group, topics.predictions.name],
  );
  return rows.map((row) => ({
    partition: row.partition,
    maxAsOfMicros: row.max_as_of ?? -Infinity,
    atEnd: (row.next_offset ?? 0) >= (endOffsets.get(row.partition) ?? Infinity),
    quietForMs: row.quiet_ms ?? Infinity,
  }));
}

export async function firstAsChampion(
  queries: Queries,
  endpoint: string,
  version: number,
): Promise<number | undefined> {
  const [row] = await queries.query<{ time: number }>(
    'SELECT first_as_of::float8 AS time FROM champion_starts WHERE endpoint = $1 AND version = $2',
    [endpoint, version],
  );
  return row?.time;
}

/** Forgets what lies before a moment of event time; at most `limit` rows of each table, true when there may be more. */
export async function prune(
  queries: Queries,
  judged: { endpoint: string; source: string },
  beforeMicros: number,
  limit: number,
): Promise<boolean> {
  const counts: number[] = [];
  for (const [table, where] of [
    ['outcomes', 'source = $1 AND endpoint = $2 AND label_event_time < $3'],
    ['labels', `source = $1 AND $2 <> '' AND event_time < $3`],
    ['predictions', `$1 <> '' AND endpoint = $2 AND as_of < $3`],
  ] as const) {
    const rows = await queries.query<{ gone: number }>(
      `WITH gone AS (DELETE FROM ${table} WHERE ctid = ANY(ARRAY(SELECT ctid FROM ${table} WHERE ${where} LIMIT $4))
         RETURNING 1) SELECT count(*)::int AS gone FROM gone`,
      [judged.source, judged.endpoint, beforeMicros, limit],
    );
    counts.push(rows[0]?.gone ?? 0);
  }
  // A batch goes when all that lies in it has gone.
  await queries.query(
    `DELETE FROM prediction_batches b WHERE endpoint = $1 AND to_as_of < $2
        AND NOT EXISTS (SELECT 1 FROM predictions p WHERE p.endpoint = $1 AND p.as_of < $2)`,
    [judged.endpoint, beforeMicros],
  );
  return counts.some((count) => count >= limit);
}
