import { QueryRunnerAlreadyReleasedError, type DataSource, type QueryRunner } from 'typeorm';
import { isObject } from './faults';

const afterCommits = new WeakMap<QueryRunner, (() => void)[]>();

/** Called once when the transaction of `inTransaction` that this runner is in has committed; never when it did not. */
export function afterCommit(runner: QueryRunner, callback: () => void): void {
  const callbacks = afterCommits.get(runner);
  if (callbacks) callbacks.push(callback);
  else afterCommits.set(runner, [callback]);
}

/** Commits what `work` did, or nothing. The connection goes back to the pool in every case. */
export async function inTransaction<R>(dataSource: DataSource, work: (runner: QueryRunner) => Promise<R>): Promise<R> {
  const runner = dataSource.createQueryRunner();
  try {
    await runner.startTransaction();
    const result = await work(runner);
    await runner.commitTransaction();
    for (const callback of afterCommits.get(runner) ?? []) callback();
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

/** A statement of each transaction: a session reads and plans its text once, and knows it by its name from then on. */
export interface Statement {
  readonly name: string;
  readonly text: string;
}

interface Session {
  query(statement: Statement & { readonly values: readonly unknown[] }): Promise<{ readonly rows: unknown[] }>;
}

export async function prepared<R = Record<string, unknown>>(
  runner: QueryRunner,
  { name, text }: Statement,
  values: readonly unknown[],
): Promise<R[]> {
  if (runner.isReleased) throw new QueryRunnerAlreadyReleasedError();
  // TypeORM cannot name statements, its driver can.
  const session: unknown = await runner.connect();
  if (!isSession(session))
    throw new TypeError('the database driver has no statements: a Postgres DataSource is needed');
  const { rows: found } = await session.query({ name, text, values });
  return found as R[];
}

function isSession(client: unknown): client is Session {
  return isObject(client) && 'query' in client && typeof client.query === 'function';
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
