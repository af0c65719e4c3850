import { baseSettings, databaseSettings, defineConfig } from '@headrace/service-kit';

export const registryConfig = defineConfig('registry', { ...baseSettings, ...databaseSettings });
