import { baseSettings, databaseSettings, defineConfig } from '@headrace/service-kit';
import { z } from 'zod';

export const ingestionConfig = defineConfig('ingestion', {
  ...baseSettings,
  ...databaseSettings,
  /**
   * Days after which the identity of an accepted record is forgotten (wall clock: a repeat that comes later is taken for a
   * new record), and days of event time for which the counts behind data quality are kept.
   */
  INGESTION_RETENTION_DAYS: z.coerce.number().int().min(1).max(3_650).default(60),
});

export type IngestionSettings = z.output<typeof ingestionConfig.settings>;
