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

/** After records were added: those that the watermark had passed already change what was final. */
export async function noteLateRecords(
  queries: Queries,
  stream: string,
  partition: number,
  earliestKnownMicros: number,
): Promise<void> {
  await queries.query(
    `UPDATE stream_progress SET corrections = corrections + 1 WHERE stream = $1 AND partition = $2 AND watermark >= $3`,
    [stream, partition, earliestKnownMicros],
  );
}

export interface StreamProgress {
  /** Lowest over the stream's partitions. */
  readonly watermark: number;
  /** How often records came behind the watermark. */
  readonly corrections: number;
}

/** Progress of every stream; absent while one of its partitions has no watermark. */
export async function readProgress(queries: Queries): Promise<Map<string, StreamProgress>> {
  const rows = await queries.query<{ stream: string } & StreamProgress>(
    `SELECT stream, min(watermark)::float8 AS watermark, sum(corrections)::float8 AS corrections
       FROM stream_progress GROUP BY stream HAVING count(*) >= $1`,
    [topics.data.partitions],
  );
  return new Map(rows.map(({ stream, watermark, corrections }) => [stream, { watermark, corrections }]));
}
