// Dataset files: DuckDB in memory, one table, one Parquet file. The same rows give the same bytes: one thread, fixed
// order, fixed row groups; the engine's version is pinned.
import type { Value } from '@headrace/contracts/proto/common/v1/common';
import { BIGINT, BOOLEAN, DOUBLE, DuckDBDataChunk, DuckDBInstance, INTEGER, VARCHAR } from '@duckdb/node-api';
import type { DuckDBAppender, DuckDBConnection, DuckDBType, DuckDBValue } from '@duckdb/node-api';
import type { Column } from './domain/dataset';

export interface DatasetRow {
  readonly key: string;
  readonly eventTimeMicros: number;
  readonly knownTimeMicros: number;
  /** Of data.<stream>.v1. */
  readonly partition: number;
  readonly offset: number;
  readonly eventId: string;
  readonly fields: Readonly<Record<string, Value>>;
}

interface PhysicalColumn {
  readonly name: string;
  readonly type: DuckDBType;
  readonly valueOf: (row: DatasetRow) => DuckDBValue;
}

/** Most rows that a DuckDB vector holds. */
const CHUNK_ROWS = 2048;

const ownColumns: readonly PhysicalColumn[] = [
  { name: '_key', type: VARCHAR, valueOf: (row) => row.key },
  { name: '_event_time', type: BIGINT, valueOf: (row) => BigInt(row.eventTimeMicros) },
  { name: '_known_time', type: BIGINT, valueOf: (row) => BigInt(row.knownTimeMicros) },
  { name: '_partition', type: INTEGER, valueOf: (row) => row.partition },
  { name: '_offset', type: BIGINT, valueOf: (row) => BigInt(row.offset) },
  { name: '_event_id', type: VARCHAR, valueOf: (row) => row.eventId },
];

type Case = NonNullable<Value['kind']>['$case'];

const storage: Readonly<
  Record<Column['type'], { readonly type: DuckDBType; readonly kind: Case; readonly isBig?: true }>
> = {
  string: { type: VARCHAR, kind: 'stringValue' },
  int: { type: BIGINT, kind: 'intValue', isBig: true },
  double: { type: DOUBLE, kind: 'doubleValue' },
  bool: { type: BOOLEAN, kind: 'boolValue' },
  timestamp: { type: BIGINT, kind: 'timeValue', isBig: true },
};

/** A declared field; null where it is missing, or was of another type when the record was accepted. */
function fieldColumn({ name, type }: Column): PhysicalColumn {
  const stored = storage[type];
  return {
    name,
    type: stored.type,
    valueOf: (row) => {
      const kind = Object.hasOwn(row.fields, name) ? row.fields[name]?.kind : undefined;
      if (kind?.$case !== stored.kind) return null;
      return stored.isBig ? BigInt(kind.value) : kind.value;
    },
  };
}

/** Collects rows and writes them as one Parquet file, ordered by partition and offset. Close it in every case. */
export class ParquetFile {
  private waiting: DatasetRow[] = [];

  private constructor(
    private readonly instance: DuckDBInstance,
    private readonly connection: DuckDBConnection,
    private readonly appender: DuckDBAppender,
    private readonly columns: readonly PhysicalColumn[],
  ) {}

  /** `directory`: for what does not fit into memory. */
  static async open(schema: readonly Column[], directory: string): Promise<ParquetFile> {
    const columns = [...ownColumns, ...schema.map(fieldColumn)];
    const instance = await DuckDBInstance.create(':memory:', {
      threads: '1',
      memory_limit: '512MB',
      temp_directory: directory,
      autoinstall_known_extensions: 'false',
      autoload_known_extensions: 'false',
    });
    const connection = await instance.connect();
    const declarations = columns.map((column) => `"${column.name}" ${column.type.toString()}`);
    await connection.run(`CREATE TABLE arrived (${declarations.join(', ')})`);
    return new ParquetFile(instance, connection, await connection.createAppender('arrived'), columns);
  }

  add(rows: readonly DatasetRow[]): void {
    this.waiting.push(...rows);
    for (; this.waiting.length >= CHUNK_ROWS; this.waiting = this.waiting.slice(CHUNK_ROWS)) {
      this.append(this.waiting.slice(0, CHUNK_ROWS));
    }
  }

  async write(path: string): Promise<void> {
    if (this.waiting.length > 0) this.append(this.waiting);
    this.waiting = [];
    this.appender.closeSync();
    await this.connection.run(
      `COPY (SELECT * FROM arrived ORDER BY _partition, _offset) TO '${path.replaceAll("'", "''")}'
         (FORMAT parquet, COMPRESSION zstd, ROW_GROUP_SIZE 122880)`,
    );
  }

  close(): void {
    this.connection.closeSync();
    this.instance.closeSync();
  }

  private append(rows: readonly DatasetRow[]): void {
    const chunk = DuckDBDataChunk.create(
      this.columns.map((column) => column.type),
      rows.length,
    );
    chunk.setColumns(this.columns.map((column) => rows.map(column.valueOf)));
    this.appender.appendDataChunk(chunk);
  }
}
