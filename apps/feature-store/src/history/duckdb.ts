// DuckDB in process: one database in memory for each job, spilling to a folder of its own.
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  DuckDBConnection,
  DuckDBDataChunk,
  DuckDBInstance,
  type DuckDBAppender,
  type DuckDBType,
  type DuckDBValue,
} from '@duckdb/node-api';

export interface DuckDbSettings {
  /** Such as "2GB"; beyond it DuckDB spills to disk. */
  readonly memoryLimit: string;
  readonly threads: number;
}

/** Runs work on a database of its own, which is gone afterwards with its folder. */
export async function withDuckDb<R>(
  settings: DuckDbSettings,
  work: (connection: DuckDBConnection, folder: string) => Promise<R>,
): Promise<R> {
  const folder = await mkdtemp(join(tmpdir(), 'headrace-feature-store-'));
  try {
    const instance = await DuckDBInstance.create(':memory:', {
      memory_limit: settings.memoryLimit,
      threads: String(settings.threads),
      temp_directory: join(folder, 'spill'),
      autoinstall_known_extensions: 'false',
    });
    const connection = await instance.connect();
    try {
      return await work(connection, folder);
    } finally {
      connection.closeSync();
      instance.closeSync();
    }
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

/** The rows of a query, about 2,000 at a time. DuckDB works on the next ones while these are looked at. */
export async function* chunksOf(connection: DuckDBConnection, sql: string): AsyncGenerator<DuckDBDataChunk> {
  const result = await connection.stream(sql);
  let next = result.fetchChunk();
  try {
    for (let chunk = await next; chunk && chunk.rowCount > 0; chunk = await next) {
      next = result.fetchChunk();
      yield chunk;
    }
  } finally {
    // Nobody may close the connection below a fetch, also when the reader gave up.
    await next.catch(() => undefined);
  }
}

const CHUNK_ROWS = 2_048;

/** Fills a table by whole chunks. Call `close` at the end: rows that it was not called for are not there. */
export class TableWriter {
  private rows: DuckDBValue[][] = [];

  private constructor(
    private readonly appender: DuckDBAppender,
    private readonly types: readonly DuckDBType[],
  ) {}

  static async create(
    connection: DuckDBConnection,
    table: string,
    columns: readonly { readonly name: string; readonly type: DuckDBType }[],
  ): Promise<TableWriter> {
    const declared = columns.map(({ name, type }) => `${identifier(name)} ${type.toString()}`);
    await connection.run(`CREATE TABLE ${identifier(table)} (${declared.join(', ')})`);
    return new TableWriter(
      await connection.createAppender(table),
      columns.map(({ type }) => type),
    );
  }

  write(row: DuckDBValue[]): void {
    this.rows.push(row);
    if (this.rows.length === CHUNK_ROWS) this.flush();
  }

  close(): void {
    this.flush();
    this.appender.closeSync();
  }

  private flush(): void {
    if (this.rows.length === 0) return;
    const chunk = DuckDBDataChunk.create(this.types, this.rows.length);
    chunk.setRows(this.rows);
    this.appender.appendDataChunk(chunk);
    this.rows = [];
  }
}

export function identifier(name: string): string {
  return `"${name.replaceAll('"', '""')}"`;
}

export function literal(text: string): string {
  return `'${text.replaceAll("'", "''")}'`;
}
