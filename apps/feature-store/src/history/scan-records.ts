import { setImmediate as nextTurn } from 'node:timers/promises';
import type { DuckDBConnection } from '@duckdb/node-api';
import type { Value } from '@headrace/contracts/proto/common/v1/common';
import { boolValue, doubleValue, intValue, stringValue, timeValue, type Fields } from '@headrace/definitions';
import type { Column, Dataset } from './dataset';
import { chunksOf, identifier, literal } from './duckdb';

/** One accepted record as the Parquet files keep it. Times in microseconds. */
export interface HistoricalRecord {
  readonly key: string;
  readonly eventTime: number;
  readonly knownTime: number;
  readonly partition: number;
  readonly offset: number;
  readonly fields: Fields;
}

const SQL_TYPES: Readonly<Record<Column['type'], string>> = {
  string: 'VARCHAR',
  // Whole numbers are within ±(2^53 − 1), so a double carries them and times exactly, and is read faster.
  int: 'DOUBLE',
  timestamp: 'DOUBLE',
  double: 'DOUBLE',
  bool: 'BOOLEAN',
};

/**
 * Gives every record of a dataset version to `visit`, in no particular order. Only the fields that `sources` (CEL over
 * record) may name are read; missing ones are absent from `fields`.
 */
export async function scanRecords(
  connection: DuckDBConnection,
  dataset: Dataset,
  sources: readonly string[],
  visit: (record: HistoricalRecord) => void,
): Promise<void> {
  if (dataset.paths.length === 0) return;
  const files = `read_parquet([${dataset.paths.map(literal).join(', ')}], union_by_name = true)`;
  const described = await connection.runAndReadAll(`SELECT column_name FROM (DESCRIBE SELECT * FROM ${files})`);
  const stored = new Set(described.getRows().map(([name]) => String(name)));
  const columns = fieldsNamedIn(sources, dataset.columns).filter(({ name }) => stored.has(name));
  const select = [
    '_key',
    '_event_time::DOUBLE',
    '_known_time::DOUBLE',
    '_partition',
    '_offset::DOUBLE',
    ...columns.map(({ name, type }) => `TRY_CAST(${identifier(name)} AS ${SQL_TYPES[type]})`),
  ];
  for await (const chunk of chunksOf(connection, `SELECT ${select.join(', ')} FROM ${files}`)) {
    const [key, eventTime, knownTime, partition, offset, ...values] = chunk.getColumns();
    for (let row = 0; row < chunk.rowCount; row += 1) {
      const fields: Record<string, Value> = {};
      columns.forEach(({ name, type }, index) => {
        const value = values[index]?.[row];
        if (value !== null && value !== undefined) fields[name] = valueOf(type, value);
      });
      visit({
        key: String(key?.[row]),
        eventTime: Number(eventTime?.[row]),
        knownTime: Number(knownTime?.[row]),
        partition: Number(partition?.[row]),
        offset: Number(offset?.[row]),
        fields,
      });
    }
    // Evaluating expressions holds the event loop: online reads come in between.
    await nextTurn();
  }
}

function valueOf(type: Column['type'], value: unknown): Value {
  switch (type) {
    case 'string':
      return stringValue(String(value));
    case 'int':
      return intValue(Number(value));
    case 'timestamp':
      return timeValue(Number(value));
    case 'double':
      return doubleValue(Number(value));
    case 'bool':
      return boolValue(value === true);
  }
}

const SIMPLE_ACCESS = /\b(?:record|request)\s*\.\s*([A-Za-z_][A-Za-z0-9_]*)/g;

/** The columns that the expressions can read; all of them when one uses the record in another way than by `.field`. */
export function fieldsNamedIn(sources: readonly string[], columns: readonly Column[]): Column[] {
  const named = new Set<string>();
  for (const source of sources) {
    for (const match of source.matchAll(SIMPLE_ACCESS)) named.add(match[1] ?? '');
    if (/\b(?:record|request)\b/.test(source.replaceAll(SIMPLE_ACCESS, ''))) return [...columns];
  }
  return columns.filter(({ name }) => named.has(name));
}
