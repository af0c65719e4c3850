import type { Queries } from '@headrace/service-kit';

export interface FeatureRecord {
  readonly viewId: number;
  readonly entity: string;
  readonly eventTime: number;
  readonly knownTime: number;
  readonly partition: number;
  readonly offset: number;
  /** Units of 1e-9; null = missing. */
  readonly inputs: readonly (bigint | null)[];
}

/** Idempotent: a record is its view, partition and offset. Order does not matter. */
export async function insertRecords(queries: Queries, records: readonly FeatureRecord[]): Promise<void> {
  if (records.length === 0) return;
  await queries.query(
    `INSERT INTO feature_records (view_id, entity, event_time, known_time, partition, "offset", inputs)
     SELECT view_id, entity, event_time, known_time, partition, "offset", inputs::bigint[]
       FROM unnest($1::int[], $2::text[], $3::bigint[], $4::bigint[], $5::int[], $6::bigint[], $7::text[])
         AS r (view_id, entity, event_time, known_time, partition, "offset", inputs)
     ON CONFLICT DO NOTHING`,
    [
      records.map((record) => record.viewId),
      records.map((record) => record.entity),
      records.map((record) => record.eventTime),
      records.map((record) => record.knownTime),
      records.map((record) => record.partition),
      records.map((record) => record.offset),
      records.map((record) => `{${record.inputs.map((input) => input ?? 'NULL').join(',')}}`),
    ],
  );
}

/**
 * Deletes records of one view version, all of them or those before a moment of event time, at most `limit`; true when
 * there may be more.
 */
export async function deleteRecords(
  queries: Queries,
  viewId: number,
  beforeMicros: number | undefined,
  limit: number,
): Promise<boolean> {
  const [row] = await queries.query<{ gone: number }>(
    `WITH gone AS (
       DELETE FROM feature_records WHERE ctid = ANY(ARRAY(
         SELECT ctid FROM feature_records WHERE view_id = $1 AND ($2::bigint IS NULL OR event_time < $2) LIMIT $3))
       RETURNING 1)
     SELECT count(*)::int AS gone FROM gone`,
    [viewId, beforeMicros === undefined ? null : Math.floor(beforeMicros), limit],
  );
  return (row?.gone ?? 0) >= limit;
}
