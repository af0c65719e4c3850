import { topics } from '@headrace/contracts';
import type { Pool } from 'pg';
import { halvesOf, type KeptRecord } from '../domain/kept-records';

export interface Wanted {
  readonly entity: string;
  /** Only records known after this moment. */
  readonly after: number;
}

export interface FreshRecords {
  /** Of the view's stream in the same snapshot; −Infinity while a partition has none. */
  readonly watermark: number;
  /** How often records came behind the watermark. */
  readonly corrections: number;
  /** In the order of what was wanted. */
  readonly records: readonly KeptRecord[][];
}

interface Row {
  readonly watermark: number | null;
  readonly corrections: number;
  readonly i: string | null;
  readonly event_time: number;
  readonly known_time: number;
  readonly inputs: string;
}

/** A known time that every record has passed. */
const LONG_AGO = -Number.MAX_SAFE_INTEGER;

/** Records of entities, each from its own moment on, in one statement; undefined when the version was just replaced. */
export async function readFreshRecords(
  pool: Pool,
  versionId: number,
  stream: string,
  wanted: readonly Wanted[],
): Promise<FreshRecords | undefined> {
  const { rows } = await pool.query<Row>({
    name: 'fresh_records',
    text: `
      SELECT w.watermark, w.corrections, r.* FROM (
        SELECT CASE WHEN count(*) >= $5::int THEN min(p.watermark)::float8 END AS watermark,
               coalesce(sum(p.corrections), 0)::float8 AS corrections
          FROM stream_progress p WHERE p.stream = $4
      ) w LEFT JOIN LATERAL (
        SELECT q.i, f.event_time::float8 AS event_time, f.known_time::float8 AS known_time, f.inputs::text AS inputs
          FROM unnest($1::text[], $2::bigint[]) WITH ORDINALITY AS q (entity, after, i)
         CROSS JOIN LATERAL (
           SELECT event_time, known_time, inputs FROM feature_records
            WHERE view_id = $3 AND entity = q.entity AND known_time > q.after) f
      ) r ON true
      WHERE EXISTS (SELECT 1 FROM view_versions v WHERE v.id = $3 AND NOT v.replaced)`,
    values: [
      wanted.map(({ entity }) => entity),
      wanted.map(({ after }) => Math.max(after, LONG_AGO)),
      versionId,
      stream,
      topics.data.partitions,
    ],
  });
  const [first] = rows;
  if (!first) return undefined;
  const records = wanted.map((): KeptRecord[] => []);
  for (const row of rows) {
    if (row.i === null) continue;
    records[Number(row.i) - 1]?.push({
      eventTime: row.event_time,
      knownTime: row.known_time,
      halves: halvesOf(inputsOf(row.inputs)),
    });
  }
  return { watermark: first.watermark ?? -Infinity, corrections: first.corrections, records };
}

/** Of an array as Postgres writes it: {1,NULL,−2}. */
function inputsOf(text: string): (bigint | null)[] {
  const inside = text.slice(1, -1);
  return inside === '' ? [] : inside.split(',').map((one) => (one === 'NULL' ? null : BigInt(one)));
}
