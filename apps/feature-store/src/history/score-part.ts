// Scores a part of a feature set: what goes through memory is one batch of rows.
import { join } from 'node:path';
import { DOUBLE, INTEGER } from '@duckdb/node-api';
import { chunksOf, identifier, literal, TableWriter, withDuckDb, type DuckDbSettings } from './duckdb';

export interface ScorePart {
  /** The feature set. */
  readonly path: string;
  /** Rows with from ≤ _row < to. */
  readonly from: number;
  readonly to: number;
  /** Names of the model's input columns, in their order. */
  readonly columns: readonly string[];
  /** One score for each row of `features`, row-major [rows, columns]; NaN = missing. */
  score(features: Float32Array, rows: number): Promise<Float64Array>;
}

/** Hands the Parquet file of the part to `keep`: the feature set's columns without `_row`, then `_output`. */
export async function scorePart<R>(
  duckDb: DuckDbSettings,
  part: ScorePart,
  keep: (path: string, rows: number) => Promise<R>,
): Promise<R> {
  const { columns } = part;
  return withDuckDb(duckDb, async (connection, folder) => {
    const rowsOfPart = `read_parquet(${literal(part.path)}) WHERE _row >= ${part.from} AND _row < ${part.to}`;
    const writer = await TableWriter.create(connection, 'scored', [
      { name: '_row', type: INTEGER },
      { name: '_output', type: DOUBLE },
    ]);
    const select = ['_row', ...columns.map(identifier)].join(', ');
    let scored = 0;
    for await (const chunk of chunksOf(connection, `SELECT ${select} FROM ${rowsOfPart} ORDER BY _row`)) {
      const [numbers, ...values] = chunk.getColumns();
      const features = new Float32Array(chunk.rowCount * columns.length);
      values.forEach((column, index) => {
        for (let row = 0; row < chunk.rowCount; row += 1) {
          const value = column[row];
          features[row * columns.length + index] = value === null || value === undefined ? NaN : Number(value);
        }
      });
      const scores = await part.score(features, chunk.rowCount);
      for (let row = 0; row < chunk.rowCount; row += 1) writer.write([Number(numbers?.[row]), scores[row] ?? NaN]);
      scored += chunk.rowCount;
    }
    writer.close();
    const path = join(folder, 'scores.parquet');
    await connection.run('SET threads = 1');
    await connection.run(`
      COPY (SELECT f.* EXCLUDE (_row), _output FROM (SELECT * FROM ${rowsOfPart}) f JOIN scored USING (_row) ORDER BY _row)
      TO ${literal(path)} (FORMAT parquet, COMPRESSION zstd)`);
    return keep(path, scored);
  });
}
