// Rows that features are joined to, by training sets and by scores alike: the records of the plan's spine stream, each with
// its moment, its entities and what the request itself would have brought.
import { BIGINT, DOUBLE, INTEGER, VARCHAR, type DuckDBConnection } from '@duckdb/node-api';
import { asNumber, compileExpression, type TrainingPlan } from '@headrace/definitions';
import { entityKeyOf } from '../domain/feature-view';
import { viewsOf, type TrainingColumn } from '../domain/training-columns';
import type { Dataset } from './dataset';
import { identifier, TableWriter } from './duckdb';
import { EntityIds, joinFeatures, RecordTable, type JoinedView } from './point-in-time-join';
import { scanRecords, type HistoricalRecord } from './scan-records';

export interface SpineRequest {
  readonly plan: TrainingPlan;
  readonly columns: readonly TrainingColumn[];
  /** The spine's and those of the sources of all views, by stream. */
  readonly datasets: ReadonlyMap<string, Dataset>;
  /** Spine records with from ≤ event time < to; 0 = open. */
  readonly fromMicros: number;
  readonly toMicros: number;
  /** As of when a row's features are: when it happened, or when it became known. */
  readonly asOf: 'event' | 'known';
}

/** Streams whose dataset versions are read. `others`: those that the caller's own takers read. */
export function streamsOf({ plan, columns }: Pick<SpineRequest, 'plan' | 'columns'>, ...others: string[]): string[] {
  return [...new Set([plan.spec.spine.stream, ...others, ...viewsOf(columns).map(({ stream }) => stream)])];
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
export interface Taker {
  readonly stream: string;
  readonly sources: readonly string[];
  readonly take: (record: HistoricalRecord) => void;
  readonly close: () => void;
}

/** Makes `spine_records` (row_id, t, event_time, partition, offset, entities, request fields) and a table for each view. */
export async function readRecords(
  connection: DuckDBConnection,
  request: SpineRequest,
  others: readonly Taker[] = [],
): Promise<JoinedView[]> {
  const ids = new Map(Object.keys(request.plan.spec.spine.entities).map((entity) => [entity, new EntityIds()]));
  const takers = [await spineTaker(connection, request, ids), ...others];
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
  for (const stream of streamsOf(request, ...others.map((taker) => taker.stream))) {
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
  request: SpineRequest,
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
    { name: 'event_time', type: BIGINT },
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
    take: ({ key, eventTime, knownTime, partition, offset, fields }) => {
      if (eventTime < from || eventTime >= to) return;
      writer.write([
        key,
        BigInt(request.asOf === 'event' ? eventTime : knownTime),
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

/** Makes `features`: a row for each row of the spine, columns v0, v1, … in the order of the joined views' features. */
export async function joinInto(connection: DuckDBConnection, joined: readonly JoinedView[]): Promise<void> {
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

/** SQL of each column over `spine` and `features`, under its name, and the join that brings them together. */
export function columnsSql(
  columns: readonly TrainingColumn[],
  joined: readonly JoinedView[],
): { readonly select: readonly string[]; readonly from: string } {
  const places = joined.flatMap(({ view, features }) => features.map((feature) => ({ view, feature })));
  const requested: readonly TrainingColumn[] = requestColumns(columns);
  const select = columns.map((column) => {
    const { from } = column;
    const alias = identifier(column.name);
    if (from.kind === 'request') return `request_${requested.indexOf(column)} AS ${alias}`;
    return `v${places.findIndex(({ view, feature }) => view === from.view && feature === from.feature)} AS ${alias}`;
  });
  return { select, from: places.length > 0 ? 'spine LEFT JOIN features USING (idx)' : 'spine' };
}
