// What online reads fetch from the database: everything of entities that are asked for the first time, and from then on what
// each partition brings.
import { topics } from '@headrace/contracts';
import type { Pool } from 'pg';
import {
  PROGRESS_COLUMNS,
  progressOf,
  type Positions,
  type ProgressRow,
  type StreamProgress,
} from '../database/progress.repository';
import { halvesOf, type KeptRecord } from '../domain/kept-records';

interface RecordRow {
  readonly event_time: number;
  readonly known_time: number;
  readonly inputs: string;
}

export interface LoadedEntities {
  /** Of the view's stream, in the same snapshot. */
  readonly progress: StreamProgress;
  /** In the order of the entities. */
  readonly records: readonly KeptRecord[][];
}

/** All records of entities in one snapshot; undefined when the version was just replaced. */
export async function loadEntities(
  pool: Pool,
  versionId: number,
  stream: string,
  entities: readonly string[],
): Promise<LoadedEntities | undefined> {
  const { rows } = await pool.query<ProgressRow & RecordRow & { readonly i: number | null }>({
    name: 'entity_records',
    // The row of progress comes first and alone: it is not repeated for each record.
    text: `
      SELECT p.*, NULL::int AS i, NULL::float8 AS event_time, NULL::float8 AS known_time, NULL::text AS inputs
        FROM (SELECT ${PROGRESS_COLUMNS} FROM stream_progress WHERE stream = $2) p
       WHERE EXISTS (SELECT 1 FROM view_versions v WHERE v.id = $3 AND NOT v.replaced)
      UNION ALL
      SELECT NULL, NULL, NULL, NULL, q.i::int, f.event_time::float8, f.known_time::float8, f.inputs::text
        FROM unnest($4::text[]) WITH ORDINALITY AS q (entity, i)
        JOIN feature_records f ON f.view_id = $3 AND f.entity = q.entity
       ORDER BY i NULLS FIRST`,
    values: [topics.data.partitions, stream, versionId, entities],
  });
  const [first, ...others] = rows;
  if (!first || first.i !== null) return undefined;
  const records = entities.map((): KeptRecord[] => []);
  for (const row of others) if (row.i !== null) records[row.i - 1]?.push(keptOf(row));
  return { progress: progressOf(first), records };
}

export interface TailRecord {
  readonly entity: string;
  readonly partition: number;
  readonly offset: number;
  /** Decodes it. */
  kept(): KeptRecord;
}

/** Records of a view version that lie after one position and not beyond another, in each partition. */
export async function readTail(
  pool: Pool,
  versionId: number,
  after: Positions,
  upTo: Positions,
): Promise<TailRecord[]> {
  const moved = upTo.flatMap((offset, partition) => (offset > (after[partition] ?? -1) ? [partition] : []));
  if (moved.length === 0) return [];
  const { rows } = await pool.query<RecordRow & { entity: string; partition: number; offset: number }>({
    name: 'tail_records',
    text: `
      SELECT f.entity, f.partition, f."offset"::float8 AS "offset",
             f.event_time::float8 AS event_time, f.known_time::float8 AS known_time, f.inputs::text AS inputs
        FROM unnest($2::int[], $3::bigint[], $4::bigint[]) AS q (partition, after, up_to)
       CROSS JOIN LATERAL (
         SELECT * FROM feature_records r
          WHERE r.view_id = $1 AND r.partition = q.partition AND r."offset" > q.after AND r."offset" <= q.up_to) f`,
    values: [
      versionId,
      moved,
      moved.map((partition) => after[partition] ?? -1),
      moved.map((partition) => upTo[partition] ?? -1),
    ],
  });
  return rows.map(({ entity, partition, offset, ...row }) => ({ entity, partition, offset, kept: () => keptOf(row) }));
}

function keptOf({ event_time, known_time, inputs }: RecordRow): KeptRecord {
  return { eventTime: event_time, knownTime: known_time, halves: halvesOf(inputsOf(inputs)) };
}

/** Of an array as Postgres writes it: {1,NULL,−2}. */
function inputsOf(text: string): (bigint | null)[] {
  const inside = text.slice(1, -1);
  return inside === '' ? [] : inside.split(',').map((one) => (one === 'NULL' ? null : BigInt(one)));
}
