// A training set: what was known at the moment of each spine record, next to what turned out to be true.
import { join } from 'node:path';
import { BIGINT, DOUBLE, INTEGER, VARCHAR, type DuckDBConnection } from '@duckdb/node-api';
import { asNumber, compileExpression, type TrainingPlan } from '@headrace/definitions';
import { parseDuration } from '@headrace/event-time';
import { entityKeyOf, type CompiledView } from '../domain/feature-view';
import type { Fault, TrainingColumn } from '../domain/training-columns';
import type { Dataset } from './dataset';
import { identifier, literal, TableWriter } from './duckdb';
import { EntityIds, joinFeatures, RecordTable, type JoinedView } from './point-in-time-join';
import { scanRecords, type HistoricalRecord } from './scan-records';

export interface TrainingSetRequest {
  readonly plan: TrainingPlan;
  readonly columns: readonly TrainingColumn[];
  /** By stream: spine, label and the sources of all views. */
  readonly datasets: ReadonlyMap<string, Dataset>;
  /** Spine records with from ≤ event time < to; 0 = open. */
  readonly fromMicros: number;
  readonly toMicros: number;
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
  const missing = streamsOf(request).filter((stream) => !request.datasets.has(stream));
  if (missing.length > 0) {
    return failed('dataset_missing', `no dataset version was named for stream ${missing.join(' and ')}`);
  }
  const joined = await readRecords(connection, request);
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

function viewsOf(columns: readonly TrainingColumn[]): CompiledView[] {
  return [...new Set(columns.flatMap(({ from }) => (from.kind === 'view' ? [from.view] : [])))];
}

function streamsOf({ plan, columns }: TrainingSetRequest): string[] {
  return [
    ...new Set([plan.spec.spine.stream, plan.spec.label.stream, ...viewsOf(columns).map(({ stream }) => stream)]),
  ];
}

type RequestColumn = TrainingColumn & { readonly from: { readonly kind: 'request' } };

function requestColumns(columns: readonly TrainingColumn[]): RequestColumn[] {
  return columns.filter((column): column is RequestColumn => column.from.kind === 'request');
}

/** By position: names of columns do not tell upper from lower case. */
function entityColumn(plan: TrainingPlan, entity: string): string {
  return `entity_${Object.keys(plan.spec.spine.entities).indexOf(entity)}`;
}

/** Somebody who takes records of one stream while it is scanned, which happens once for each stream. */
interface Taker {
  readonly stream: string;
  readonly sources: readonly string[];
  readonly take: (record: HistoricalRecord) => void;
  readonly close: () => void;
}

async function readRecords(connection: DuckDBConnection, request: TrainingSetRequest): Promise<JoinedView[]> {
  const ids = new Map(Object.keys(request.plan.spec.spine.entities).map((entity) => [entity, new EntityIds()]));
  const takers = [await spineTaker(connection, request, ids), await labelTaker(connection, request.plan)];
  const joined: JoinedView[] = [];
  for (const [index, view] of viewsOf(request.columns).entries()) {
    const table = await RecordTable.create(
      connection,
      `records_${index}`,
      view,
      ids.get(view.entity) ?? new EntityIds(),
    );
    takers.push({
      stream: view.stream,
      sources: view.sources,
      take: (record) => table.add(record),
      close: () => table.close(),
    });
    joined.push({
      view,
      records: table.name,
      entityColumn: entityColumn(request.plan, view.entity),
      features: request.columns.flatMap(({ from }) =>
        from.kind === 'view' && from.view === view ? [from.feature] : [],
      ),
    });
  }
  for (const stream of streamsOf(request)) {
    const dataset = request.datasets.get(stream);
    const ofStream = takers.filter((taker) => taker.stream === stream);
    if (dataset) {
      await scanRecords(
        connection,
        dataset,
        ofStream.flatMap(({ sources }) => sources),
        (record) => ofStream.forEach(({ take }) => take(record)),
      );
    }
  }
  takers.forEach(({ close }) => close());
  return joined;
}

async function spineTaker(
  connection: DuckDBConnection,
  request: TrainingSetRequest,
  ids: ReadonlyMap<string, EntityIds>,
): Promise<Taker> {
  const { spine } = request.plan.spec;
  const entities = Object.entries(spine.entities).map(([name, source]) => ({
    name,
    source,
    expression: compileExpression(source, 'record'),
  }));
  const requested = requestColumns(request.columns).map(({ from }) => from);
  const writer = await TableWriter.create(connection, 'spine_records', [
    { name: 'row_id', type: VARCHAR },
    { name: 't', type: BIGINT },
    { name: 'partition', type: INTEGER },
    { name: 'offset', type: BIGINT },
    ...entities.map(({ name }) => ({ name: entityColumn(request.plan, name), type: INTEGER })),
    ...requested.map((_, index) => ({ name: `request_${index}`, type: DOUBLE })),
  ]);
  const from = request.fromMicros === 0 ? -Infinity : request.fromMicros;
  const to = request.toMicros === 0 ? Infinity : request.toMicros;
  return {
    stream: spine.stream,
    sources: [...entities, ...requested].map(({ source }) => source),
    close: () => writer.close(),
    take: ({ key, eventTime, partition, offset, fields }) => {
      if (eventTime < from || eventTime >= to) return;
      writer.write([
        key,
        BigInt(eventTime),
        partition,
        BigInt(offset),
        ...entities.map(({ name, expression }) => {
          const entity = entityKeyOf(expression(fields));
          return entity === undefined ? null : (ids.get(name)?.idOf(entity) ?? null);
        }),
        ...requested.map(({ expression }) => asNumber(expression(fields)) ?? null),
      ]);
    },
  };
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

/** Makes `features`: a row for each row of the spine, columns v0, v1, … in the order of the joined views' features. */
async function joinInto(connection: DuckDBConnection, joined: readonly JoinedView[]): Promise<void> {
  const count = joined.reduce((sum, { features }) => sum + features.length, 0);
  const writer = await TableWriter.create(connection, 'features', [
    { name: 'idx', type: INTEGER },
    ...Array.from({ length: count }, (_, index) => ({ name: `v${index}`, type: DOUBLE })),
  ]);
  if (count > 0) {
    await joinFeatures(connection, 'spine', joined, (idx, values) =>
      writer.write([idx, ...values.map((value) => (Number.isNaN(value) ? null : value))]),
    );
  }
  writer.close();
}

async function write(
  connection: DuckDBConnection,
  columns: readonly TrainingColumn[],
  joined: readonly JoinedView[],
  path: string,
): Promise<void> {
  const places = joined.flatMap(({ view, features }) => features.map((feature) => ({ view, feature })));
  const requested: readonly TrainingColumn[] = requestColumns(columns);
  const select = columns.map((column) => {
    const { from } = column;
    const alias = identifier(column.name);
    if (from.kind === 'request') return `request_${requested.indexOf(column)} AS ${alias}`;
    return `v${places.findIndex(({ view, feature }) => view === from.view && feature === from.feature)} AS ${alias}`;
  });
  const features = places.length > 0 ? 'LEFT JOIN features USING (idx)' : '';
  // One thread writes row groups in order: the same rows give the same bytes.
  await connection.run('SET threads = 1');
  await connection.run(`
    COPY (SELECT row_id, t AS event_time, label, ${select.join(', ')} FROM spine ${features} ORDER BY idx)
    TO ${literal(path)} (FORMAT parquet, COMPRESSION zstd, ROW_GROUP_SIZE 122880)`);
}
