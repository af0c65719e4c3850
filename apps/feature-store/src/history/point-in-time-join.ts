// The point-in-time join: for every row of a spine the exact accumulators of its entity's records, as of its moment.
import { setImmediate as nextTurn } from 'node:timers/promises';
import { BIGINT, VARCHAR, type DuckDBConnection } from '@duckdb/node-api';
import { planAccumulators, type AccumulatorColumn } from '../domain/accumulators';
import type { CompiledFeature, CompiledView, Projection } from '../domain/feature-view';
import { identifier, TableWriter } from './duckdb';

/** Features of one view to join. */
export interface JoinedView {
  readonly view: CompiledView;
  readonly features: readonly CompiledFeature[];
  /** Table made by `RecordTable`. */
  readonly records: string;
  /** Column of the spine that holds the view's entity keys. */
  readonly entityColumn: string;
}

/** The records of a view with their inputs evaluated, in a table of their own. */
export class RecordTable {
  private constructor(
    readonly name: string,
    private readonly view: CompiledView,
    private readonly writer: TableWriter,
  ) {}

  static async create(connection: DuckDBConnection, name: string, view: CompiledView): Promise<RecordTable> {
    const writer = await TableWriter.create(connection, name, [
      { name: 'entity', type: VARCHAR },
      { name: 'event_time', type: BIGINT },
      { name: 'known_time', type: BIGINT },
      ...view.inputs.map((_, index) => ({ name: `x${index}`, type: BIGINT })),
    ]);
    return new RecordTable(name, view, writer);
  }

  /** Records that the view does not take are left out. */
  add(record: { eventTime: number; knownTime: number; fields: Parameters<CompiledView['project']>[0] }): void {
    const projection: Projection | undefined = this.view.project(record.fields);
    if (!projection) return;
    this.writer.write([projection.entity, BigInt(record.eventTime), BigInt(record.knownTime), ...projection.inputs]);
  }

  close(): void {
    this.writer.close();
  }
}

/**
 * Joins features to `spine` (columns `idx` 0, 1, 2 …, `t` in microseconds, and one VARCHAR column for each entity).
 * Calls `visit` for each row by rising idx, with the values of all features of the views in their order.
 *
 * A record counts at t when event_time ≤ t, known_time ≤ t and t < event_time + window: from
 * greatest(event_time, known_time) on, until event_time + window. So a sum at t is the sum of everything that has
 * entered minus the sum of everything that has left: running totals, looked up with one ASOF join for each window.
 * Totals are whole numbers, so taking away what was added leaves nothing behind. Smallest and largest values cannot be
 * taken away again: they are found among the records of the window, in buckets as long as the window.
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
  for (const [index, { records, entityColumn }] of joined.entries()) {
    const columns = plans[index]?.columns ?? [];
    const entity = identifier(entityColumn);
    for (const windowMicros of new Set(columns.map((column) => column.windowMicros))) {
      const ofWindow = columns.filter((column) => column.windowMicros === windowMicros);
      const totals = ofWindow.filter((column) => !isExtreme(column));
      const extremes = ofWindow.filter(isExtreme);
      const suffix = `${index}_${windowMicros}`;
      if (totals.length > 0) {
        await connection.run(`CREATE TABLE totals_${suffix} AS ${totalsSql(records, windowMicros, totals)}`);
        joins.push(
          `ASOF LEFT JOIN totals_${suffix} ON s.${entity} = totals_${suffix}.entity AND s.t >= totals_${suffix}.moment`,
        );
      }
      if (extremes.length > 0) {
        await connection.run(
          `CREATE TABLE extremes_${suffix} AS ${extremesSql(spine, entity, records, windowMicros, extremes)}`,
        );
        joins.push(`LEFT JOIN extremes_${suffix} ON s.idx = extremes_${suffix}.idx`);
      }
    }
    for (const column of columns) {
      const table = `${isExtreme(column) ? 'extremes' : 'totals'}_${index}_${column.windowMicros}`;
      select.push(
        ...(column.kind === 'sumOfSquares'
          ? [`${table}.${nameOf(column)}_high`, `${table}.${nameOf(column)}_low`]
          : [`${table}.${nameOf(column)}`]),
      );
    }
  }
  const result = await connection.stream(
    `SELECT s.idx::DOUBLE, ${[...select, '0'].join(', ')} FROM ${identifier(spine)} s ${joins.join(' ')} ORDER BY s.idx`,
  );
  for (;;) {
    const chunk = await result.fetchChunk();
    if (!chunk || chunk.rowCount === 0) return;
    const columns = chunk.getColumns();
    for (let row = 0; row < chunk.rowCount; row += 1) {
      let at = 1;
      const next = (): bigint | null => toBigInt(columns[at++]?.[row]);
      const values = plans.flatMap((plan) =>
        plan.finish(
          plan.columns.map((column) => (column.kind === 'sumOfSquares' ? joinHalves(next(), next()) : next())),
        ),
      );
      visit(Number(columns[0]?.[row]), values);
    }
    await nextTurn();
  }
}

function isExtreme({ kind }: AccumulatorColumn): boolean {
  return kind === 'min' || kind === 'max';
}

function nameOf({ kind, input }: AccumulatorColumn): string {
  return `${kind}_${input ?? 'records'}`;
}

function toBigInt(value: unknown): bigint | null {
  return typeof value === 'bigint' ? value : null;
}

/** Squares need up to 126 bits: their sums are kept as two halves, so that they cannot outgrow HUGEINT. */
const HALF = 10n ** 18n;

function joinHalves(high: bigint | null, low: bigint | null): bigint | null {
  return high === null || low === null ? null : high * HALF + low;
}

/** What a record adds to a column, as [alias, expression]. */
function contributions(column: AccumulatorColumn): [string, string][] {
  const name = nameOf(column);
  const x = `x${column.input}`;
  switch (column.kind) {
    case 'count':
      return [[name, column.input === undefined ? '1::BIGINT' : `(${x} IS NOT NULL)::BIGINT`]];
    case 'sum':
      return [[name, `coalesce(${x}, 0)::HUGEINT`]];
    case 'sumOfSquares':
      return [
        [`${name}_high`, `(coalesce(${x}, 0)::HUGEINT * coalesce(${x}, 0)::HUGEINT) // ${HALF}::HUGEINT`],
        [`${name}_low`, `(coalesce(${x}, 0)::HUGEINT * coalesce(${x}, 0)::HUGEINT) % ${HALF}::HUGEINT`],
      ];
    case 'min':
    case 'max':
      return [];
  }
}

function totalsSql(records: string, windowMicros: number, columns: readonly AccumulatorColumn[]): string {
  const added = columns.flatMap(contributions);
  const names = added.map(([name]) => name);
  return `
    WITH visible AS (
      SELECT entity, greatest(event_time, known_time) AS enters, event_time + ${windowMicros} AS leaves,
        ${added.map(([name, expression]) => `${expression} AS ${name}`).join(', ')}
      FROM ${identifier(records)}
      WHERE known_time < event_time + ${windowMicros}
    ), changes AS (
      SELECT entity, enters AS moment, ${names.join(', ')} FROM visible
      UNION ALL
      SELECT entity, leaves, ${names.map((name) => `-${name}`).join(', ')} FROM visible
    ), moments AS (
      SELECT entity, moment, ${names.map((name) => `sum(${name}) AS ${name}`).join(', ')} FROM changes GROUP BY entity, moment
    )
    SELECT entity, moment, ${names.map((name) => `sum(${name}) OVER running AS ${name}`).join(', ')}
    FROM moments
    WINDOW running AS (PARTITION BY entity ORDER BY moment ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW)`;
}

function extremesSql(
  spine: string,
  entity: string,
  records: string,
  windowMicros: number,
  columns: readonly AccumulatorColumn[],
): string {
  // Rounding towards zero is as good as down here: whatever lies within one window of t is in the bucket of t or the one before.
  const bucket = (time: string): string => `(${time} // ${windowMicros})`;
  return `
    SELECT s.idx, ${columns.map((column) => `${column.kind}(r.x${column.input}) AS ${nameOf(column)}`).join(', ')}
    FROM (
      SELECT idx, t, ${entity} AS entity, unnest([${bucket('t')}, ${bucket('t')} - 1]) AS bucket
      FROM ${identifier(spine)}
    ) s
    JOIN (SELECT *, ${bucket('event_time')} AS bucket FROM ${identifier(records)}) r
      ON r.entity = s.entity AND r.bucket = s.bucket
      AND r.event_time <= s.t AND r.event_time > s.t - ${windowMicros} AND r.known_time <= s.t
    GROUP BY s.idx`;
}
