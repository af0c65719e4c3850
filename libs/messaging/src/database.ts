import type { DataSource, QueryRunner } from 'typeorm';

/** Commits what `work` did, or nothing. The connection goes back to the pool in every case. */
export async function inTransaction<R>(dataSource: DataSource, work: (runner: QueryRunner) => Promise<R>): Promise<R> {
  const runner = dataSource.createQueryRunner();
  try {
    await runner.startTransaction();
    const result = await work(runner);
    await runner.commitTransaction();
    return result;
  } catch (error) {
    // The first error is the one that explains; a connection that is gone has rolled back by itself.
    if (runner.isTransactionActive && !runner.isReleased) await runner.rollbackTransaction().catch(() => undefined);
    throw error;
  } finally {
    if (!runner.isReleased) await runner.release();
  }
}

/** Rows of any statement (TypeORM's plain form answers UPDATE and DELETE differently). */
export async function rows<R = Record<string, unknown>>(
  runner: QueryRunner,
  sql: string,
  parameters: readonly unknown[] = [],
): Promise<R[]> {
  const result = await runner.query(sql, [...parameters], true);
  return result.records as R[];
}

export async function affected(runner: QueryRunner, sql: string, parameters: readonly unknown[]): Promise<number> {
  const result = await runner.query(sql, [...parameters], true);
  return result.affected ?? 0;
}

/** Fails with a clear word when the service forgot the library's migrations or its search_path. */
export async function checkTables(dataSource: DataSource): Promise<void> {
  const found: unknown = await dataSource.query(
    `SELECT current_schema() AS schema, to_regclass('consumer_positions') IS NOT NULL AS present`,
  );
  const [first] = found as { schema: string | null; present: boolean }[];
  if (first?.present !== true) {
    throw new Error(
      `schema "${first?.schema ?? ''}" has no table consumer_positions: add messagingMigrations to the DataSource, ` +
        'run its migrations and let its search_path begin with the schema of the service',
    );
  }
}
