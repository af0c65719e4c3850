// What a model is given for every row of a dataset version: features as of the moment at which each row became known.
import { join } from 'node:path';
import type { DuckDBConnection } from '@duckdb/node-api';
import type { Fault } from '../domain/training-columns';
import { literal } from './duckdb';
import { columnsSql, joinInto, readRecords, streamsOf, type SpineRequest } from './spine';

export interface FeatureSetRequest extends Omit<SpineRequest, 'asOf'> {
  /** The datasets of the views' sources hold everything known by then: rows that became known later are left out. */
  readonly completeUntilMicros: number;
}

export interface FeatureSet {
  /**
   * Parquet file in the folder of the job, by rising `_row` from 0: `_row`, `_key`, `_event_time`, `_known_time`,
   * `_partition`, `_offset`, then the features under their names.
   */
  readonly path: string;
  readonly rows: number;
  readonly rowsBeyondSources: number;
}

export type FeatureSetOutcome =
  { readonly kind: 'materialized'; readonly set: FeatureSet } | { readonly kind: 'failed'; readonly fault: Fault };

/** Columns beside the features, in the feature set or in the scores. */
const OWN_COLUMNS = new Set(['_row', '_key', '_event_time', '_known_time', '_partition', '_offset', '_output']);

/** The same request gives the same bytes: rows are sorted by (known time, record key, partition, offset). */
export async function materializeFeatureSet(
  connection: DuckDBConnection,
  folder: string,
  request: FeatureSetRequest,
): Promise<FeatureSetOutcome> {
  const own = request.columns.find(({ name }) => OWN_COLUMNS.has(name.toLowerCase()));
  if (own) return failed('bad_feature_name', `feature "${own.name}": the name is one of the scores' own columns`);
  const missing = streamsOf(request).filter((stream) => !request.datasets.has(stream));
  if (missing.length > 0) {
    return failed('dataset_missing', `there is no dataset version of stream ${missing.join(' and ')} yet`);
  }
  const joined = await readRecords(connection, { ...request, asOf: 'known' });
  const { rows, beyondSources } = await chooseRows(connection, request.completeUntilMicros);
  if (rows === 0) {
    return failed(
      'no_rows',
      `no row can be scored: ${beyondSources} are later than the watermark of the source datasets`,
    );
  }
  await joinInto(connection, joined);
  const path = join(folder, 'feature-set.parquet');
  const { select, from } = columnsSql(request.columns, joined);
  // One thread writes row groups in order: the same rows give the same bytes.
  await connection.run('SET threads = 1');
  await connection.run(`
    COPY (SELECT idx AS _row, row_id AS _key, event_time AS _event_time, t AS _known_time, "partition" AS _partition,
      "offset" AS _offset, ${select.join(', ')} FROM ${from} ORDER BY idx)
    TO ${literal(path)} (FORMAT parquet, COMPRESSION zstd, ROW_GROUP_SIZE 122880)`);
  return { kind: 'materialized', set: { path, rows, rowsBeyondSources: beyondSources } };
}

function failed(code: string, message: string): FeatureSetOutcome {
  return { kind: 'failed', fault: { code, message } };
}

/** Makes `spine`. */
async function chooseRows(
  connection: DuckDBConnection,
  completeUntilMicros: number,
): Promise<{ readonly rows: number; readonly beyondSources: number }> {
  const complete = Number.isFinite(completeUntilMicros)
    ? `t <= ${completeUntilMicros}`
    : String(completeUntilMicros > 0);
  await connection.run(`
    CREATE TABLE spine AS
    SELECT (row_number() OVER (ORDER BY t, row_id, "partition", "offset") - 1)::INTEGER AS idx, spine_records.*
    FROM spine_records WHERE ${complete}`);
  const counted = await connection.runAndReadAll(
    'SELECT (SELECT count(*) FROM spine)::DOUBLE, (SELECT count(*) FROM spine_records)::DOUBLE',
  );
  const [rows = 0, all = 0] = (counted.getRows()[0] ?? []).map(Number);
  return { rows, beyondSources: all - rows };
}
