import { baseSettings, databaseSettings, defineConfig } from '@headrace/service-kit';
import { z } from 'zod';

export const featureStoreConfig = defineConfig('feature-store', {
  ...baseSettings,
  ...databaseSettings,
  /** Longest wait of an online read for its watermark, milliseconds, when the call names none. */
  ONLINE_MAX_WAIT_MS: z.coerce.number().int().min(0).max(60_000).default(2_000),
  /** Connections for online reads, besides the pool of handlers. */
  ONLINE_POOL_SIZE: z.coerce.number().int().min(1).max(50).default(4),
  /** Final records of one view that are kept in memory for online reads, about 150 bytes each. */
  ONLINE_CACHE_RECORDS: z.coerce.number().int().min(0).max(50_000_000).default(500_000),
  /** Memory that one training-set join may take before it spills to disk, as DuckDB writes it. */
  JOIN_MEMORY_LIMIT: z
    .string()
    .regex(/^\d+(MB|GB)$/, 'expected a whole number and MB or GB')
    .default('1GB'),
  JOIN_THREADS: z.coerce.number().int().min(1).max(64).default(1),
});

export type FeatureStoreSettings = z.output<typeof featureStoreConfig.settings>;
