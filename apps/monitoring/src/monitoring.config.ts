import { baseSettings, databaseSettings, defineConfig } from '@headrace/service-kit';
import { z } from 'zod';

export const monitoringConfig = defineConfig('monitoring', {
  ...baseSettings,
  ...databaseSettings,
  /** Days of event time after which predictions, labels and their joins are forgotten; windows and decisions stay. */
  MONITORING_RETENTION_DAYS: z.coerce.number().int().min(1).max(3_650).default(60),
});

export type MonitoringSettings = z.output<typeof monitoringConfig.settings>;
