import {
  baseSettings,
  databaseSettings,
  defineConfig,
  type BaseSettings,
  type DatabaseSettings,
} from '@headrace/service-kit';
import { z } from 'zod';

const trainingSettings = {
  /** Python with the packages of trainers/tabular/requirements.lock. */
  TRAINER_PYTHON: z.string().min(1),
  /** Folder of the package headrace_tabular (trainers/tabular). */
  TRAINER_DIRECTORY: z.string().min(1),
  /** Folder for the files of runs in progress. Kept over a restart, a finished fit is not made again. */
  TRAINING_WORK_DIRECTORY: z.string().min(1),
  /** Trainers that run at the same time. */
  TRAINING_CONCURRENCY: z.coerce.number().int().min(1).max(64).default(1),
} as const;

export type TrainingSettings = BaseSettings & DatabaseSettings & z.output<z.ZodObject<typeof trainingSettings>>;

export const trainingConfig = defineConfig('training', { ...baseSettings, ...databaseSettings, ...trainingSettings });
