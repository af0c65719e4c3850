import { Client } from 'pg';
import { testDatabaseUrl } from './testing.config';
import { uniqueName } from './unique-name';

export interface TestDatabase {
  readonly name: string;
  /** postgres://… of this database. */
  readonly url: string;
  /** Removes it, closing connections that are still open. */
  drop(): Promise<void>;
}

async function onServer(statement: string): Promise<void> {
  const client = new Client({ connectionString: testDatabaseUrl() });
  await client.connect();
  try {
    await client.query(statement);
  } finally {
    await client.end();
  }
}

/** An empty database for one spec file: make it in beforeAll, drop it in afterAll. */
export async function createTestDatabase(prefix: string): Promise<TestDatabase> {
  const name = uniqueName(prefix)
    .toLowerCase()
    .replaceAll(/[^a-z0-9]/g, '_');
  await onServer(`CREATE DATABASE "${name}"`);
  const url = new URL(testDatabaseUrl());
  url.pathname = `/${name}`;
  return { name, url: url.toString(), drop: () => onServer(`DROP DATABASE IF EXISTS "${name}" WITH (FORCE)`) };
}
