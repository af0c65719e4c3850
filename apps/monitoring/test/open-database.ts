import { definitionMigrations, definitionTables } from '@headrace/definition-store';
import { messagingMigrations } from '@headrace/messaging';
import { openDatabase } from '@headrace/service-kit';
import { createTestDatabase, type TestDatabase } from '@headrace/testing';
import { BatchPredictions1766000000000 } from '../src/database/migrations/1766000000000-batch-predictions';
import { BusinessMetrics1766400000000 } from '../src/database/migrations/1766400000000-business-metrics';
import { CutWindows1766550000000 } from '../src/database/migrations/1766550000000-cut-windows';
import { SliceWindows1766200000000 } from '../src/database/migrations/1766200000000-slice-windows';
import { CreateMonitoring1765000000000 } from '../src/database/migrations/1765000000000-create-monitoring';
import { RolloutScores1765100000000 } from '../src/database/migrations/1765100000000-rollout-scores';
import { JudgeMoreSignals1765500000000 } from '../src/database/migrations/1765500000000-judge-more-signals';
import { HoldRetrainingsBack1766100000000 } from '../src/database/migrations/1766100000000-hold-retrainings-back';
import { TimeTheLoop1765600000000 } from '../src/database/migrations/1765600000000-time-the-loop';
import type { Queries } from '../src/database/sql';

export interface OpenDatabase {
  readonly queries: Queries;
  close(): Promise<void>;
}

const migrations = [
  ...messagingMigrations,
  ...definitionMigrations,
  CreateMonitoring1765000000000,
  RolloutScores1765100000000,
  JudgeMoreSignals1765500000000,
  TimeTheLoop1765600000000,
  BatchPredictions1766000000000,
  HoldRetrainingsBack1766100000000,
  SliceWindows1766200000000,
  BusinessMetrics1766400000000,
  CutWindows1766550000000,
];

/** The service's tables, empty, in a database of their own. */
export async function openTables(prefix: string): Promise<OpenDatabase> {
  return openWith(await createTestDatabase(prefix), migrations);
}

/** As before a migration, which `migrate` then runs. */
export async function openTablesBefore(
  prefix: string,
  migration: (typeof migrations)[number],
): Promise<OpenDatabase & { migrate(): Promise<OpenDatabase> }> {
  const database = await createTestDatabase(prefix);
  const before = await openWith(database, migrations.slice(0, migrations.indexOf(migration)));
  return {
    ...before,
    migrate: async () => {
      await before.disconnect();
      return openWith(database, migrations.slice(0, migrations.indexOf(migration) + 1));
    },
  };
}

async function openWith(
  database: TestDatabase,
  upTo: typeof migrations,
): Promise<OpenDatabase & { disconnect(): Promise<void> }> {
  const source = await openDatabase({
    service: 'monitoring',
    url: database.url,
    poolSize: 2,
    tables: definitionTables,
    migrations: upTo,
    logger: { warn: () => undefined },
  });
  return {
    queries: { query: (sql, parameters) => source.query(sql, parameters && [...parameters]) },
    disconnect: () => source.destroy(),
    close: async () => {
      await source.destroy();
      await database.drop();
    },
  };
}
