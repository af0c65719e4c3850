// The two sides of a drift report: files or dataset versions, and the columns that can be compared.
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DuckDBDoubleVector, DuckDBInstance, type DuckDBConnection, type DuckDBDataChunk } from '@duckdb/node-api';
import { sortNumbers } from '@headrace/statistics';

export interface Side {
  /** What the user called it. */
  readonly name: string;
  readonly files: readonly string[];
  readonly format: 'parquet' | 'csv';
  /** Of a dataset version: its columns of text, and those of times, which are stored as whole numbers. */
  readonly dataset?: { readonly texts: readonly string[]; readonly times: readonly string[] };
}

/** Columns that ingestion adds to every dataset: what a record is and where it stood, not what it says. */
const OWN_COLUMNS = ['_key', '_event_time', '_known_time', '_partition', '_offset', '_event_id'];

/** Runs work on an engine of its own: bounded memory, what does not fit into it in a folder that is gone afterwards. */
export async function withEngine<R>(work: (engine: Engine) => Promise<R>): Promise<R> {
  const folder = await mkdtemp(join(tmpdir(), 'headrace-drift-'));
  try {
    const instance = await DuckDBInstance.create(':memory:', {
      memory_limit: '256MB',
      temp_directory: join(folder, 'spill'),
      autoinstall_known_extensions: 'false',
      autoload_known_extensions: 'false',
      preserve_insertion_order: 'false',
    });
    const connection = await instance.connect();
    try {
      return await work(new Engine(connection, folder));
    } finally {
      connection.closeSync();
      instance.closeSync();
    }
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

export class Engine {
  /** For values of the reference, of the current data, and for ordering them: the same for every column. */
  private readonly buffers = new Map<string, Float64Array>();

  constructor(
    private readonly connection: DuckDBConnection,
    private readonly folder: string,
  ) {}

  /**
   * Names a side's rows and returns the columns that are each row's key. CSV is read once and kept as columns, outside
   * memory. Throws when it cannot be read.
   */
  async open(view: 'reference' | 'current', side: Side): Promise<string[]> {
    let { files } = side;
    try {
      if (side.format === 'csv') {
        const copy = join(this.folder, `${view}.parquet`);
        await this.connection.run(
          `COPY (SELECT * FROM read_csv([${files.map(literal).join()}], auto_detect = true)) TO ${literal(copy)} (FORMAT parquet)`,
        );
        files = [copy];
      }
      const rows = `read_parquet([${files.map(literal).join()}], union_by_name = true)`;
      await this.connection.run(`CREATE VIEW ${view} AS SELECT ${columnsOf(side)} FROM ${rows}`);
      return side.dataset ? await this.keysOf(rows, side.dataset.texts) : [];
    } catch (error) {
      throw new Error(`--${view} ${side.name}: ${error instanceof Error ? error.message : String(error)}`, {
        cause: error,
      });
    }
  }

  /** Texts that say in every row what its key says. */
  private async keysOf(rows: string, texts: readonly string[]): Promise<string[]> {
    const asked = texts.map((text) => `bool_and(${identifier(text)} IS NOT DISTINCT FROM _key)`);
    const [answer = []] = texts.length === 0 ? [] : await this.rows(`SELECT ${asked.join()} FROM ${rows}`);
    return texts.filter((_, place) => answer[place] === true);
  }

  /** Names and DuckDB types of a side's columns, in their order. */
  async columns(view: 'reference' | 'current'): Promise<Map<string, string>> {
    const reader = await this.connection.runAndReadAll(`DESCRIBE ${view}`);
    return new Map(reader.getRows().map(([name, type]) => [String(name), String(type)]));
  }

  async rows(sql: string): Promise<unknown[][]> {
    return (await this.connection.runAndReadAll(sql)).getRows();
  }

  /** The finite numbers in a column of a side, rising, until the next call for that side; `most`: how many there can be. */
  async sortedNumbers(view: 'reference' | 'current', column: string, most: number): Promise<Float64Array> {
    const values = this.buffer(view, most);
    let count = 0;
    await this.each(`SELECT CAST(${identifier(column)} AS DOUBLE) FROM ${view}`, (chunk) => {
      const vector = chunk.getColumnVector(0);
      if (!(vector instanceof DuckDBDoubleVector)) throw new TypeError('expected a column of DOUBLE');
      const rows = chunk.rowCount;
      for (let row = 0; row < rows; row += 1) {
        const value = vector.getItem(row);
        if (value === null || !Number.isFinite(value)) continue;
        values[count] = value;
        count += 1;
      }
    });
    return sortNumbers(values.subarray(0, count), this.buffer('spare', count));
  }

  private buffer(name: string, length: number): Float64Array {
    let buffer = this.buffers.get(name);
    if (!buffer || buffer.length < length) this.buffers.set(name, (buffer = new Float64Array(length)));
    return buffer;
  }

  /** The result of a query, of a column or two, about 2,000 rows at a time. */
  async each(sql: string, visit: (chunk: DuckDBDataChunk) => void): Promise<void> {
    const result = await this.connection.run(sql);
    for (let index = 0; index < result.chunkCount; index += 1) visit(result.getChunk(index));
  }
}

function columnsOf({ dataset }: Side): string {
  if (!dataset) return '*';
  const times = dataset.times.map((name) => `make_timestamp(${identifier(name)}) AS ${identifier(name)}`);
  const replaced = times.length === 0 ? '' : ` REPLACE (${times.join()})`;
  return `* EXCLUDE (${OWN_COLUMNS.join()})${replaced}`;
}

export function identifier(name: string): string {
  return `"${name.replaceAll('"', '""')}"`;
}

function literal(text: string): string {
  return `'${text.replaceAll("'", "''")}'`;
}
