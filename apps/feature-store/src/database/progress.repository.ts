import { topics } from '@headrace/contracts';
import type { Queries } from '@headrace/service-kit';

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

export interface AddedRecords {
  readonly stream: string;
  readonly partition: number;
  readonly firstOffset: number;
  readonly lastOffset: number;
  readonly earliestKnownMicros: number;
}

/**
 * In the transaction that adds records. Those that the watermark had passed already, and those that lie before records
 * that were added earlier (a redrive), correct what was read before.
 */
export async function noteRecords(queries: Queries, added: AddedRecords): Promise<void> {
  await queries.query(
    `INSERT INTO stream_progress AS known (stream, partition, last_offset) VALUES ($1, $2, $4)
     ON CONFLICT (stream, partition) DO UPDATE SET
       corrections = known.corrections + CASE WHEN known.watermark >= $5 OR known.last_offset >= $3 THEN 1 ELSE 0 END,
       last_offset = greatest(known.last_offset, excluded.last_offset)`,
    [added.stream, added.partition, added.firstOffset, added.lastOffset, added.earliestKnownMicros],
  );
}

/** Offset of the last record that was added, by partition; −1 where none is known. */
export type Positions = readonly number[];

export interface StreamProgress {
  /** Lowest over the stream's partitions; −Infinity while one of them has none. */
  readonly watermark: number;
  /** How often records came behind the watermark, or before others. */
  readonly corrections: number;
  readonly positions: Positions;
}

/** Of one stream, as columns of a statement over `stream_progress`; $1: partitions of a stream. */
export const PROGRESS_COLUMNS = `
  CASE WHEN count(watermark) >= $1::int THEN min(watermark)::float8 END AS watermark,
  coalesce(sum(corrections), 0)::float8 AS corrections,
  array_agg(partition ORDER BY partition) AS partitions,
  array_agg(last_offset::float8 ORDER BY partition) AS offsets`;

export interface ProgressRow {
  readonly watermark: number | null;
  readonly corrections: number;
  readonly partitions: readonly number[] | null;
  readonly offsets: readonly number[] | null;
}

export function progressOf({ watermark, corrections, partitions, offsets }: ProgressRow): StreamProgress {
  const positions = new Array<number>(topics.data.partitions).fill(-1);
  partitions?.forEach((partition, index) => (positions[partition] = offsets?.[index] ?? -1));
  return { watermark: watermark ?? -Infinity, corrections, positions };
}

/** Progress of every stream that has brought anything. */
export async function readProgress(queries: Queries): Promise<Map<string, StreamProgress>> {
  const rows = await queries.query<{ stream: string } & ProgressRow>(
    `SELECT stream, ${PROGRESS_COLUMNS} FROM stream_progress GROUP BY stream`,
    [topics.data.partitions],
  );
  return new Map(rows.map((row) => [row.stream, progressOf(row)]));
}
