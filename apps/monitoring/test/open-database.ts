import { definitionMigrations, definitionTables } from '@headrace/definition-store';
import { messagingMigrations } from '@headrace/messaging';
import { openDatabase } from '@headrace/service-kit';
import { createTestDatabase } from '@headrace/testing';
import { CreateMonitoring1765000000000 } from '../src/database/migrations/1765000000000-create-monitoring';
import { RolloutScores1765100000000 } from '../src/database/migrations/1765100000000-rollout-scores';
import { JudgeMoreSignals1765500000000 } from '../src/database/migrations/1765500000000-judge-more-signals';
import { TimeTheLoop1765600000000 } from '../src/database/migrations/1765600000000-time-the-loop';
import type { Queries } from '../src/database/sql';

export interface OpenDatabase {
  readonly queries: Queries;
  close(): Promise<void>;
}

/** The service's tables, empty, in a database of their own. */
export async function openTables(prefix: string): Promise<OpenDatabase> {
  const database = await createTestDatabase(prefix);
  const source = await openDatabase({
    service: 'monitoring',
    url: database.url,
    poolSize: 2,
    tables: definitionTables,
    migrations: [
      ...messagingMigrations,
      ...definitionMigrations,
      CreateMonitoring1765000000000,
      RolloutScores1765100000000,
      JudgeMoreSignals1765500000000,
      TimeTheLoop1765600000000,
    ],
    logger: { warn: () => undefined },
  });
  return {
    queries: { query: (sql, parameters) => source.query(sql, parameters && [...parameters]) },
    close: async () => {
      await source.destroy();
      await database.drop();
    },
  };
}
