// A training set: what was known at the moment of each spine record, next to what turned out to be true.
import { join } from 'node:path';
import { BIGINT, DOUBLE, INTEGER, VARCHAR, type DuckDBConnection } from '@duckdb/node-api';
import { asNumber, compileExpression, type TrainingPlan } from '@headrace/definitions';
import { parseDuration } from '@headrace/event-time';
import type { Fault, TrainingColumn } from '../domain/training-columns';
import { literal, TableWriter } from './duckdb';
import type { JoinedView } from './point-in-time-join';
import { columnsSql, joinInto, readRecords, streamsOf, type SpineRequest, type Taker } from './spine';

/** Datasets by stream: spine, label and the sources of all views. */
export interface TrainingSetRequest extends Omit<SpineRequest, 'asOf'> {
  /** The datasets of the views' sources hold everything known by then: later spine records are left out. */
  readonly completeUntilMicros: number;
}

export interface TrainingSet {
  /** Parquet file in the folder of the job. */
  readonly path: string;
  readonly rows: number;
  readonly rowsWithoutLabel: number;
  readonly rowsBeyondSources: number;
  readonly minEventTimeMicros: number;
  readonly maxEventTimeMicros: number;
}

export type TrainingSetOutcome =
  { readonly kind: 'materialized'; readonly set: TrainingSet } | { readonly kind: 'failed'; readonly fault: Fault };

/**
 * Writes the training set. The same request gives the same bytes: rows are sorted by (event time, record key, partition,
 * offset) and written by one thread. Times lie within ±2^53 µs.
 */
export async function materializeTrainingSet(
  connection: DuckDBConnection,
  folder: string,
  request: TrainingSetRequest,
): Promise<TrainingSetOutcome> {
  const { stream: labels } = request.plan.spec.label;
  const missing = streamsOf(request, labels).filter((stream) => !request.datasets.has(stream));
  if (missing.length > 0) {
    return failed('dataset_missing', `no dataset version was named for stream ${missing.join(' and ')}`);
  }
  const joined = await readRecords(connection, { ...request, asOf: 'event' }, [
    await labelTaker(connection, request.plan),
  ]);
  const counts = await chooseSpine(connection, request);
  if (counts.rows === 0) {
    return failed(
      'no_rows',
      `no spine record of "${request.plan.spec.spine.stream}" can be used: ${counts.withoutLabel} without a label, ` +
        `${counts.beyondSources} later than the watermark of the source datasets`,
    );
  }
  await joinInto(connection, joined);
  const path = join(folder, 'training-set.parquet');
  await write(connection, request.columns, joined, path);
  return {
    kind: 'materialized',
    set: {
      path,
      rows: counts.rows,
      rowsWithoutLabel: counts.withoutLabel,
      rowsBeyondSources: counts.beyondSources,
      minEventTimeMicros: counts.first,
      maxEventTimeMicros: counts.last,
    },
  };
}

function failed(code: string, message: string): TrainingSetOutcome {
  return { kind: 'failed', fault: { code, message } };
}

async function labelTaker(connection: DuckDBConnection, plan: TrainingPlan): Promise<Taker> {
  const { stream, expression: source } = plan.spec.label;
  const expression = compileExpression(source, 'record');
  const writer = await TableWriter.create(connection, 'label_records', [
    { name: 'row_id', type: VARCHAR },
    { name: 'known_time', type: BIGINT },
    { name: 'partition', type: INTEGER },
    { name: 'offset', type: BIGINT },
    { name: 'label', type: DOUBLE },
  ]);
  return {
    stream,
    sources: [source],
    close: () => writer.close(),
    take: ({ key, knownTime, partition, offset, fields }) => {
      const label = asNumber(expression(fields));
      if (label !== undefined) writer.write([key, BigInt(knownTime), partition, BigInt(offset), label]);
    },
  };
}

interface SpineCounts {
  readonly rows: number;
  readonly withoutLabel: number;
  readonly beyondSources: number;
  readonly first: number;
  readonly last: number;
}

/** Makes `spine`: the rows of the training set in their order, each with the newest label known of its key. */
async function chooseSpine(connection: DuckDBConnection, request: TrainingSetRequest): Promise<SpineCounts> {
  const { lookback } = request.plan.spec;
  const recent =
    lookback === undefined ? 'true' : `t > (SELECT max(t) FROM spine_records) - ${parseDuration(lookback)}`;
  const complete = Number.isFinite(request.completeUntilMicros)
    ? `t <= ${request.completeUntilMicros}`
    : String(request.completeUntilMicros > 0);
  await connection.run(`
    CREATE TABLE labels AS
    SELECT DISTINCT ON (row_id) row_id, label FROM label_records
    ORDER BY row_id, known_time DESC, "partition" DESC, "offset" DESC`);
  await connection.run(`
    CREATE TABLE spine AS
    SELECT (row_number() OVER (ORDER BY t, row_id, "partition", "offset") - 1)::INTEGER AS idx, spine_records.*, label
    FROM spine_records JOIN labels USING (row_id) WHERE ${recent} AND ${complete}`);
  const counted = await connection.runAndReadAll(`
    SELECT (SELECT count(*) FROM spine)::DOUBLE,
      (SELECT count(*) FROM spine_records ANTI JOIN labels USING (row_id) WHERE ${recent} AND ${complete})::DOUBLE,
      (SELECT count(*) FROM spine_records WHERE ${recent} AND NOT (${complete}))::DOUBLE,
      (SELECT min(t) FROM spine)::DOUBLE, (SELECT max(t) FROM spine)::DOUBLE`);
  const [rows, withoutLabel, beyondSources, first, last] = (counted.getRows()[0] ?? []).map(Number);
  return {
    rows: rows ?? 0,
    withoutLabel: withoutLabel ?? 0,
    beyondSources: beyondSources ?? 0,
    first: first ?? 0,
    last: last ?? 0,
  };
}

async function write(
  connection: DuckDBConnection,
  columns: readonly TrainingColumn[],
  joined: readonly JoinedView[],
  path: string,
): Promise<void> {
  const { select, from } = columnsSql(columns, joined);
  // One thread writes row groups in order: the same rows give the same bytes.
  await connection.run('SET threads = 1');
  await connection.run(`
    COPY (SELECT row_id, event_time, label, ${select.join(', ')} FROM ${from} ORDER BY idx)
    TO ${literal(path)} (FORMAT parquet, COMPRESSION zstd, ROW_GROUP_SIZE 122880)`);
}
