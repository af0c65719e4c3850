import { numberOrUndefined, type Queries } from './sql';

export interface Announcement {
  readonly stream: string;
  readonly watermarkMicros: number;
  /** Rises with each announcement. */
  readonly sequence: number;
}

export interface PartitionProgressRow {
  readonly partition: number;
  readonly lastKnownMicros: number | undefined;
}

/** One line for each stream that changes whenever its watermark may advance; cheap enough for every tick. */
export async function readProgressMarks(
  queries: Queries,
  group: string,
  quietMs: number,
): Promise<Map<string, string>> {
  const rows = await queries.query<{ stream: string; mark: string }>(
    `SELECT s.stream, string_agg(concat_ws('/', s.topic, s.partition, s.last_known_micros, c.next_offset,
              s.updated_at < clock_timestamp() - make_interval(secs => $2)), ',' ORDER BY s.topic, s.partition) AS mark
       FROM stream_partitions s
       LEFT JOIN consumer_positions c
         ON c.consumer_group = $1 AND c.topic = s.topic AND c.partition = s.partition
      GROUP BY s.stream`,
    [group, quietMs / 1_000],
  );
  return new Map(rows.map((row) => [row.stream, row.mark]));
}

/** Waits for transactions that make the row of a new partition. */
export async function lockAnnouncement(
  queries: Queries,
  stream: string,
): Promise<{ readonly announcedMicros: number | undefined; readonly announcements: number }> {
  await queries.query('INSERT INTO stream_watermarks (stream) VALUES ($1) ON CONFLICT DO NOTHING', [stream]);
  const [row] = await queries.query<{ announced_micros: string | null; announcements: string }>(
    'SELECT announced_micros, announcements FROM stream_watermarks WHERE stream = $1 FOR UPDATE',
    [stream],
  );
  if (!row) throw new Error(`the watermark row of ${stream} vanished`);
  return { announcedMicros: numberOrUndefined(row.announced_micros), announcements: Number(row.announcements) };
}

/** Partitions in which nothing came for a while, locked; those that a batch holds are not quiet. */
export async function lockQuietPartitions(
  queries: Queries,
  stream: string,
  topic: string,
  quietMs: number,
): Promise<number[]> {
  const rows = await queries.query<{ partition: number }>(
    `SELECT partition FROM stream_partitions
      WHERE stream = $1 AND topic = $2 AND updated_at < clock_timestamp() - make_interval(secs => $3)
      ORDER BY partition FOR UPDATE SKIP LOCKED`,
    [stream, topic, quietMs / 1_000],
  );
  return rows.map((row) => row.partition);
}

export async function readProgress(queries: Queries, stream: string, topic: string): Promise<PartitionProgressRow[]> {
  const rows = await queries.query<{ partition: number; last_known_micros: string | null }>(
    'SELECT partition, last_known_micros FROM stream_partitions WHERE stream = $1 AND topic = $2',
    [stream, topic],
  );
  return rows.map((row) => ({
    partition: row.partition,
    lastKnownMicros: numberOrUndefined(row.last_known_micros),
  }));
}

export async function readPositions(queries: Queries, group: string, topic: string): Promise<Map<number, number>> {
  const rows = await queries.query<{ partition: number; next_offset: string }>(
    'SELECT partition, next_offset FROM consumer_positions WHERE consumer_group = $1 AND topic = $2',
    [group, topic],
  );
  return new Map(rows.map((row) => [row.partition, Number(row.next_offset)]));
}

/** Stores the announcement and lifts what idle partitions may accept later above it. */
export async function saveAnnouncement(
  queries: Queries,
  announcement: Announcement,
  topic: string,
  idle: readonly number[],
  floorMicros: number,
): Promise<void> {
  await queries.query('UPDATE stream_watermarks SET announced_micros = $2, announcements = $3 WHERE stream = $1', [
    announcement.stream,
    announcement.watermarkMicros,
    announcement.sequence,
  ]);
  if (idle.length === 0) return;
  await queries.query(
    'UPDATE stream_partitions SET floor_micros = $4 WHERE stream = $1 AND topic = $2 AND partition = ANY($3::int[])',
    [announcement.stream, topic, idle, floorMicros],
  );
}

export async function readAnnouncements(queries: Queries): Promise<Announcement[]> {
  const rows = await queries.query<{ stream: string; announced_micros: string; announcements: string }>(
    'SELECT stream, announced_micros, announcements FROM stream_watermarks WHERE announced_micros IS NOT NULL',
  );
  return rows.map((row) => ({
    stream: row.stream,
    watermarkMicros: Number(row.announced_micros),
    sequence: Number(row.announcements),
  }));
}
