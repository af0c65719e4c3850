// Two Parquet files of the same columns, the same bytes each time: every value is a hash of its row, column and side.
import { DuckDBInstance } from '@duckdb/node-api';

export const NUMBERS = Array.from({ length: 10 }, (_, k) => `n${k}`);
export const CATEGORIES = Array.from({ length: 10 }, (_, k) => `c${k}`);
/** How many categories each of those columns has. */
const SIZES = [2, 3, 5, 8, 12, 20, 50, 100, 300, 1_000];

/** Normal values of ten scales, and categories; every third and fourth column of the current side moved. */
export async function writeSides(rows, paths) {
  const instance = await DuckDBInstance.create(':memory:');
  const connection = await instance.connect();
  for (const [side, path] of paths.entries()) {
    const uniform = (stream) =>
      `((hash(i * 64 + ${stream} + ${side + 1} * 1000000007) >> 11)::DOUBLE / 9007199254740992.0)`;
    const columns = [
      ...NUMBERS.map((name, k) => {
        const moved = side === 1 && k % 3 === 0 ? 0.25 : 0;
        const normal = `sqrt(-2 * ln(1 - ${uniform(2 * k)})) * cos(2 * pi() * ${uniform(2 * k + 1)})`;
        return `(${normal} + ${moved}) * ${k + 1} AS ${name}`;
      }),
      ...CATEGORIES.map((name, k) => {
        const power = side === 1 && k % 4 === 0 ? 1.5 : 1;
        return `'c' || floor(pow(${uniform(30 + k)}, ${power}) * ${SIZES[k]})::INT AS ${name}`;
      }),
    ];
    await connection.run(`COPY (SELECT ${columns.join(', ')} FROM range(${rows}) t (i)) TO '${path}' (FORMAT parquet)`);
  }
  connection.closeSync();
  instance.closeSync();
}
