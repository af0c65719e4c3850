import { numberOrUndefined, type Queries } from './sql';

/** One partition of a stream's upstream topic: its counts and how far its known time has come. */
export interface PartitionId {
  readonly stream: string;
  readonly topic: string;
  readonly partition: number;
}

export interface PartitionState {
  /** Least known time of the next record; undefined before the first. */
  readonly leastKnownMicros: number | undefined;
  /** Event time of the last accepted record. */
  readonly reachedEventMicros: number | undefined;
  readonly rejectedByCode: Readonly<Record<string, number>>;
}

export interface PartitionChange {
  readonly accepted: number;
  readonly rejected: number;
  readonly duplicates: number;
  readonly rejectedByCode: Readonly<Record<string, number>>;
  /** Undefined: nothing was accepted. */
  readonly lastKnownMicros: number | undefined;
  readonly reachedEventMicros: number | undefined;
}

interface PartitionRow {
  readonly last_known_micros: string | null;
  readonly floor_micros: string | null;
  readonly reached_event_micros: string | null;
  readonly rejected_by_code: Record<string, number>;
}

/**
 * Locks the partition's row until the end of the transaction, so that no watermark can treat it as idle meanwhile. Its
 * first record makes the row; watermarks wait for that transaction, as the row begins above what is announced.
 */
export async function lockPartition(queries: Queries, id: PartitionId): Promise<PartitionState> {
  const { stream, topic, partition } = id;
  const select = `SELECT last_known_micros, floor_micros, reached_event_micros, rejected_by_code FROM stream_partitions
     WHERE stream = $1 AND topic = $2 AND partition = $3 FOR UPDATE`;
  let [row] = await queries.query<PartitionRow>(select, [stream, topic, partition]);
  if (!row) {
    await queries.query('INSERT INTO stream_watermarks (stream) VALUES ($1) ON CONFLICT DO NOTHING', [stream]);
    await queries.query('SELECT 1 FROM stream_watermarks WHERE stream = $1 FOR SHARE', [stream]);
    await queries.query(
      `INSERT INTO stream_partitions (stream, topic, partition, floor_micros)
       SELECT stream, $2, $3, announced_micros + 1 FROM stream_watermarks WHERE stream = $1
       ON CONFLICT DO NOTHING`,
      [stream, topic, partition],
    );
    [row] = await queries.query<PartitionRow>(select, [stream, topic, partition]);
  }
  if (!row) throw new Error(`the row of ${topic}/${partition} vanished`);
  const known = numberOrUndefined(row.last_known_micros);
  const floor = numberOrUndefined(row.floor_micros);
  return {
    leastKnownMicros: known !== undefined && floor !== undefined ? Math.max(known, floor) : (known ?? floor),
    reachedEventMicros: numberOrUndefined(row.reached_event_micros),
    rejectedByCode: row.rejected_by_code,
  };
}

export async function savePartition(queries: Queries, id: PartitionId, change: PartitionChange): Promise<void> {
  await queries.query(
    `UPDATE stream_partitions SET accepted = accepted + $4, rejected = rejected + $5, duplicates = duplicates + $6,
            rejected_by_code = $7, last_known_micros = coalesce($8, last_known_micros),
            reached_event_micros = coalesce($9, reached_event_micros), updated_at = clock_timestamp()
      WHERE stream = $1 AND topic = $2 AND partition = $3`,
    [
      id.stream,
      id.topic,
      id.partition,
      change.accepted,
      change.rejected,
      change.duplicates,
      JSON.stringify(change.rejectedByCode),
      change.lastKnownMicros ?? null,
      change.reachedEventMicros ?? null,
    ],
  );
}

export interface StreamTotals {
  readonly stream: string;
  readonly accepted: number;
  readonly rejected: number;
  readonly duplicates: number;
  readonly rejectedByCode: Readonly<Record<string, number>>;
}

/** Over all partitions, of all topics that the stream was ever read from. */
export async function readTotals(queries: Queries): Promise<Map<string, StreamTotals>> {
  const rows = await queries.query<{
    stream: string;
    accepted: string;
    rejected: string;
    duplicates: string;
    by_code: Record<string, number>[];
  }>(
    `SELECT stream, sum(accepted) AS accepted, sum(rejected) AS rejected, sum(duplicates) AS duplicates,
            jsonb_agg(rejected_by_code) AS by_code
       FROM stream_partitions GROUP BY stream`,
  );
  return new Map(
    rows.map((row) => [
      row.stream,
      {
        stream: row.stream,
        accepted: Number(row.accepted),
        rejected: Number(row.rejected),
        duplicates: Number(row.duplicates),
        rejectedByCode: addCounts(row.by_code),
      },
    ]),
  );
}

export function addCounts(counts: readonly Readonly<Record<string, number>>[]): Record<string, number> {
  const sums: Record<string, number> = {};
  for (const one of counts) {
    for (const [code, count] of Object.entries(one)) sums[code] = (sums[code] ?? 0) + count;
  }
  return sums;
}
