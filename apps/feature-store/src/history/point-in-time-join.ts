// The point-in-time join: for every row of a spine the exact accumulators of its entity's records, as of its moment.
import { setImmediate as nextTurn } from 'node:timers/promises';
import { BIGINT, INTEGER, type DuckDBConnection } from '@duckdb/node-api';
import type { Fields } from '@headrace/definitions';
import { planAccumulators, type AccumulatorColumn, type AccumulatorValue } from '../domain/accumulators';
import type { CompiledFeature, CompiledView } from '../domain/feature-view';
import { chunksOf, identifier, TableWriter } from './duckdb';

/** Numbers for entity keys, the same ones for records and spine: joined faster than texts. */
export class EntityIds {
  private readonly ids = new Map<string, number>();

  idOf(key: string): number {
    const known = this.ids.get(key);
    if (known !== undefined) return known;
    this.ids.set(key, this.ids.size);
    return this.ids.size - 1;
  }
}

/** Features of one view to join. */
export interface JoinedView {
  readonly view: CompiledView;
  readonly features: readonly CompiledFeature[];
  /** Table made by `RecordTable`. */
  readonly records: string;
  /** Column of the spine that holds the ids of the view's entities. */
  readonly entityColumn: string;
}

/** The records of a view with their inputs evaluated, in a table of their own. */
export class RecordTable {
  private constructor(
    readonly name: string,
    private readonly view: CompiledView,
    private readonly ids: EntityIds,
    private readonly writer: TableWriter,
  ) {}

  static async create(
    connection: DuckDBConnection,
    name: string,
    view: CompiledView,
    ids: EntityIds,
  ): Promise<RecordTable> {
    const writer = await TableWriter.create(connection, name, [
      { name: 'entity', type: INTEGER },
      { name: 'event_time', type: BIGINT },
      { name: 'known_time', type: BIGINT },
      ...view.inputs.map((_, index) => ({ name: `x${index}`, type: BIGINT })),
    ]);
    return new RecordTable(name, view, ids, writer);
  }

  /** Records that the view does not take are left out. */
  add(record: { readonly eventTime: number; readonly knownTime: number; readonly fields: Fields }): void {
    const projection = this.view.project(record.fields);
    if (!projection) return;
    const entity = this.ids.idOf(projection.entity);
    this.writer.write([entity, BigInt(record.eventTime), BigInt(record.knownTime), ...projection.inputs]);
  }

  close(): void {
    this.writer.close();
  }
}

/**
 * Joins features to `spine` (columns `idx` 0, 1, 2 …, `t` in microseconds, and one INTEGER column for each entity).
 * Calls `visit` for each row by rising idx, with the values of all features of the views in their order.
 *
 * A record counts at t when event_time ≤ t, known_time ≤ t and t < event_time + window: from
 * greatest(event_time, known_time) on, until event_time + window. So a sum at t is the sum of everything that has
 * entered minus the sum of everything that has left: running totals, looked up with one ASOF join for each view. Totals
 * are whole numbers, so taking away what was added leaves nothing behind. Smallest and largest values cannot be taken
 * away again: they are found among the records of the window, in buckets as long as the window.
 */
export async function joinFeatures(
  connection: DuckDBConnection,
  spine: string,
  joined: readonly JoinedView[],
  visit: (idx: number, values: readonly number[]) => void,
): Promise<void> {
  const plans = joined.map(({ features }) => planAccumulators(features));
  const select: string[] = [];
  const joins: string[] = [];
  for (const [index, view] of joined.entries()) {
    const columns = plans[index]?.columns ?? [];
    const totals = columns.filter((column) => !isExtreme(column));
    const totalsTable = `totals_${index}`;
    await makeTotals(connection, totalsTable, view, totals);
    const entity = identifier(view.entityColumn);
    joins.push(`ASOF LEFT JOIN ${totalsTable} ON s.${entity} = ${totalsTable}.entity AND s.t >= ${totalsTable}.moment`);
    for (const windowMicros of new Set(columns.filter(isExtreme).map((column) => column.windowMicros))) {
      const extremes = columns.filter((column) => isExtreme(column) && column.windowMicros === windowMicros);
      const table = `extremes_${index}_${windowMicros}`;
      await connection.run(`CREATE TABLE ${table} AS ${extremesSql(spine, entity, view.records, extremes)}`);
      joins.push(`LEFT JOIN ${table} ON s.idx = ${table}.idx`);
    }
    for (const column of columns) {
      const table = isExtreme(column) ? `extremes_${index}_${column.windowMicros}` : totalsTable;
      select.push(...namesOf(column).map((name) => `${table}.${name}`));
    }
  }
  const sql = `SELECT ${['s.idx::DOUBLE', ...select].join(', ')} FROM ${identifier(spine)} s ${joins.join(' ')} ORDER BY s.idx`;
  for await (const chunk of chunksOf(connection, sql)) {
    const columns = chunk.getColumns();
    for (let row = 0; row < chunk.rowCount; row += 1) {
      let position = 1;
      const next = (): AccumulatorValue => wholeNumber(columns[position++]?.[row]);
      const values = plans.flatMap((plan) =>
        plan.finish(plan.columns.map(({ kind }) => (kind === 'sumOfSquares' ? joinHalves(next(), next()) : next()))),
      );
      visit(Number(columns[0]?.[row]), values);
    }
    await nextTurn();
  }
}

function isExtreme({ kind }: AccumulatorColumn): boolean {
  return kind === 'min' || kind === 'max';
}

function wholeNumber(value: unknown): AccumulatorValue {
  return typeof value === 'bigint' || typeof value === 'number' ? value : null;
}

/** Squares need up to 126 bits: their sums are kept as two halves, so that they cannot outgrow HUGEINT. */
const HALF = 10n ** 18n;

function joinHalves(high: AccumulatorValue, low: AccumulatorValue): bigint {
  return BigInt(high ?? 0) * HALF + BigInt(low ?? 0);
}

function namesOf({ kind, input, windowMicros }: AccumulatorColumn): string[] {
  const name = `${kind}_${input ?? 'records'}_${windowMicros}`;
  return kind === 'sumOfSquares' ? [`${name}_high`, `${name}_low`] : [name];
}

interface Total {
  readonly name: string;
  readonly windowMicros: number;
  /** What one record adds. */
  readonly added: string;
  /** Type of the total that the join reads. BIGINT becomes the nearest double by one conversion of the processor. */
  readonly type: 'BIGINT' | 'HUGEINT';
  readonly asDouble: boolean;
}

async function makeTotals(
  connection: DuckDBConnection,
  table: string,
  { view, records }: JoinedView,
  columns: readonly AccumulatorColumn[],
): Promise<void> {
  const bounds = await connection.runAndReadAll(
    `SELECT ${['true', ...view.inputs.map((_, input) => `coalesce(max(abs(x${input}))::HUGEINT * count(*), 0) < 9223372036854775807`)].join(', ')}
     FROM ${identifier(records)}`,
  );
  const fits = (bounds.getRows()[0] ?? []).slice(1).map((small) => small === true);
  const totals = columns.flatMap((column) =>
    totalsOf(column, column.input !== undefined && fits[column.input] === true),
  );
  await connection.run(`CREATE TABLE ${table} AS ${totalsSql(records, totals)}`);
}

function totalsOf(column: AccumulatorColumn, fits: boolean): Total[] {
  const { input, windowMicros } = column;
  const names = namesOf(column);
  const total = (index: number, added: string, type: Total['type'], asDouble: boolean): Total => ({
    name: names[index] ?? '',
    windowMicros,
    added,
    type,
    asDouble,
  });
  const x = `coalesce(x${input}, 0)`;
  switch (column.kind) {
    case 'count':
      return [total(0, input === undefined ? '1' : `(x${input} IS NOT NULL)::BIGINT`, 'BIGINT', true)];
    case 'sum':
      return [total(0, x, fits ? 'BIGINT' : 'HUGEINT', fits)];
    case 'wholeSum':
      return [total(0, x, 'HUGEINT', false)];
    case 'sumOfSquares':
      return [
        total(0, `(${x}::HUGEINT * ${x}::HUGEINT) // ${HALF}::HUGEINT`, 'HUGEINT', false),
        total(1, `(${x}::HUGEINT * ${x}::HUGEINT) % ${HALF}::HUGEINT`, 'HUGEINT', false),
      ];
    case 'min':
    case 'max':
      return [];
  }
}

/**
 * Running totals at each moment at which something enters or leaves a window. They run through all entities, one after
 * the other: whatever enters leaves again, so every entity begins at 0. (An unpartitioned running sum over sorted rows
 * needs no window buffers: three times as fast as a partitioned one.)
 */
function totalsSql(records: string, totals: readonly Total[]): string {
  const changes = (moment: string, window: number | undefined): string => {
    const values = totals.map(({ name, windowMicros, added, type }) => {
      const counts = `known_time < event_time + ${windowMicros}`;
      if (window === undefined) return `CASE WHEN ${counts} THEN ${added} ELSE 0 END::${type} AS ${name}`;
      return `${windowMicros === window ? `-(${added})` : '0'}::${type} AS ${name}`;
    });
    const where = window === undefined ? '' : `WHERE known_time < event_time + ${window}`;
    return `SELECT ${['entity', `${moment} AS moment`, ...values].join(', ')} FROM ${identifier(records)} ${where}`;
  };
  const windows = [...new Set(totals.map(({ windowMicros }) => windowMicros))];
  const sums = totals.map(({ name, type }) => `sum(${name})::${type} AS ${name}`);
  const running = totals.map(({ name, type, asDouble }) => {
    const sum = `(sum(${name}) OVER (ROWS UNBOUNDED PRECEDING))::${type}`;
    return `${asDouble ? `${sum}::DOUBLE` : sum} AS ${name}`;
  });
  return `
    WITH changes AS (
      ${[
        changes('greatest(event_time, known_time)', undefined),
        ...windows.map((window) => changes(`event_time + ${window}`, window)),
      ].join(' UNION ALL ')}
    ), moments AS (
      SELECT ${['entity', 'moment', ...sums].join(', ')} FROM changes GROUP BY entity, moment ORDER BY entity, moment
    )
    SELECT ${['entity', 'moment', ...running].join(', ')} FROM moments`;
}

/** All columns have the same window. */
function extremesSql(spine: string, entity: string, records: string, columns: readonly AccumulatorColumn[]): string {
  const window = columns[0]?.windowMicros ?? 0;
  // Rounding towards zero is as good as down: whatever lies within one window before t is in t's bucket or the one before.
  const bucket = (time: string): string => `(${time} // ${window})`;
  const select = columns.map((column) => `${column.kind}(r.x${column.input})::DOUBLE AS ${namesOf(column).join()}`);
  return `
    SELECT s.idx, ${select.join(', ')}
    FROM (
      SELECT idx, t, ${entity} AS entity, unnest([${bucket('t')}, ${bucket('t')} - 1]) AS bucket
      FROM ${identifier(spine)}
    ) s
    JOIN (SELECT *, ${bucket('event_time')} AS bucket FROM ${identifier(records)}) r
      ON r.entity = s.entity AND r.bucket = s.bucket
      AND r.event_time <= s.t AND r.event_time > s.t - ${window} AND r.known_time <= s.t
    GROUP BY s.idx`;
}
