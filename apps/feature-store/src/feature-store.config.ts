import { baseSettings, databaseSettings, defineConfig } from '@headrace/service-kit';
import { z } from 'zod';

export const featureStoreConfig = defineConfig('feature-store', {
  ...baseSettings,
  ...databaseSettings,
  /** Longest wait of an online read for its watermark, milliseconds, when the call names none. */
  ONLINE_MAX_WAIT_MS: z.coerce.number().int().min(0).max(60_000).default(2_000),
  /** Connections for online reads, besides the pool of handlers. */
  ONLINE_POOL_SIZE: z.coerce.number().int().min(1).max(50).default(4),
  /** Records of one view that are kept in memory for online reads, about 150 bytes each. */
  ONLINE_CACHE_RECORDS: z.coerce.number().int().min(0).max(50_000_000).default(500_000),
  /** Memory that one training-set join may take before it spills to disk, as DuckDB writes it. */
  JOIN_MEMORY_LIMIT: z
    .string()
    .regex(/^\d+(MB|GB)$/, 'expected a whole number and MB or GB')
    .default('1GB'),
  JOIN_THREADS: z.coerce.number().int().min(1).max(64).default(1),
  /** Rows of one part of a scoring job: what is scored again after a crash, and one file of its result. */
  SCORING_PART_ROWS: z.coerce.number().int().min(1).max(10_000_000).default(122_880),
  /** Longest time for loading a model that scores, and for each batch of about 2,000 rows. */
  SCORING_MODEL_TIMEOUT_MS: z.coerce.number().int().min(1_000).max(3_600_000).default(60_000),
  /** Resident memory of the process that runs it, about 90 MiB of its own included. */
  SCORING_MODEL_MEMORY_MIB: z.coerce.number().int().min(128).max(65_536).default(1_024),
});

export type FeatureStoreSettings = z.output<typeof featureStoreConfig.settings>;
