import { baseSettings, databaseSettings, defineConfig } from '@headrace/service-kit';
import type { z } from 'zod';

export const ingestionConfig = defineConfig('ingestion', { ...baseSettings, ...databaseSettings });

export type IngestionSettings = z.output<typeof ingestionConfig.settings>;
