import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { EmbeddedDependencyError } from './embedded-error';
import { readEmbeddedSettings } from './embedded.config';

/**
 * The interpreter of the Python environment that tools/install.mjs makes (it brings a Java runtime, the fetcher of
 * jars and what the trainers need).
 */
export function pythonCommand(): string {
  const { folders } = readEmbeddedSettings();
  const python =
    process.platform === 'win32'
      ? join(folders.pythonEnvironment, 'Scripts', 'python.exe')
      : join(folders.pythonEnvironment, 'bin', 'python');
  if (existsSync(python)) return python;
  throw new EmbeddedDependencyError(
    'python-missing',
    `There is no Python environment at ${folders.pythonEnvironment}: run \`node tools/install.mjs\` (it needs Python 3.11 or newer with venv).`,
  );
}
