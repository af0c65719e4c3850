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

/** Watermark of every stream: the lowest over its partitions; absent while one of them has none. */
export async function readWatermarks(queries: Queries): Promise<Map<string, number>> {
  const rows = await queries.query<{ stream: string; watermark: number }>(
    `SELECT stream, min(watermark)::float8 AS watermark FROM stream_progress GROUP BY stream HAVING count(*) >= $1`,
    [topics.data.partitions],
  );
  return new Map(rows.map((row) => [row.stream, row.watermark]));
}
