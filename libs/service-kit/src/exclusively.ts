import type { DataSource } from 'typeorm';

/** Asks the database with one certain connection. */
export interface Queries {
  query<R = Record<string, unknown>>(sql: string, parameters?: readonly unknown[]): Promise<R[]>;
}

/**
 * Runs work while one connection alone holds the lock of this name, over all instances of the service. Undefined when
 * another one has it and `wait` is false. Work that asks through the given connection ends when the lock is lost.
 */
export async function exclusively<R>(
  source: DataSource,
  name: string,
  wait: boolean,
  work: (queries: Queries) => Promise<R>,
): Promise<R | undefined> {
  const runner = source.createQueryRunner();
  const key = `hashtextextended(current_schema() || '.' || $1, 0)`;
  const queries: Queries = {
    query: <T>(sql: string, parameters: readonly unknown[] = []) => runner.query(sql, [...parameters]) as Promise<T[]>,
  };
  try {
    if (wait) await queries.query(`SELECT pg_advisory_lock(${key})`, [name]);
    else {
      const [row] = await queries.query<{ locked: boolean }>(`SELECT pg_try_advisory_lock(${key}) AS locked`, [name]);
      if (row?.locked !== true) return undefined;
    }
    try {
      return await work(queries);
    } finally {
      // A connection that is lost has lost its lock too.
      if (!runner.isReleased) await queries.query(`SELECT pg_advisory_unlock(${key})`, [name]);
    }
  } finally {
    await runner.release();
  }
}
