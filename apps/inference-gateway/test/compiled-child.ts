// The validation child runs in a plain Node process, which reads no TypeScript: specs compile it as the build does.
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { transformFile } from '@swc/core';

const repository = resolve(__dirname, '..', '..', '..');

export const fixtures = join(__dirname, 'fixtures');

/** Inside the repository, so that it finds the runtime. */
export async function compileValidationChild(): Promise<{ readonly script: string; remove(): Promise<void> }> {
  await mkdir(join(repository, '.headrace'), { recursive: true });
  const folder = await mkdtemp(join(repository, '.headrace', 'gateway-spec-'));
  const source = join(__dirname, '..', 'src', 'models', 'validation-child.ts');
  const { code } = await transformFile(source, { configFile: join(repository, '.swcrc'), sourceMaps: false });
  const script = join(folder, 'validation-child.js');
  await writeFile(script, code);
  return { script, remove: () => rm(folder, { recursive: true, force: true }) };
}
