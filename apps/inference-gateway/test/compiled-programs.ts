// The programs of child processes run in plain Node, which reads no TypeScript: specs compile them as the build does.
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { transformFile } from '@swc/core';

const repository = resolve(__dirname, '..', '..', '..');
const sources = ['validation-child', 'model-host', 'onnx-model', 'row-packing', 'tensors'];

export const fixtures = join(__dirname, 'fixtures');

export interface CompiledPrograms {
  readonly folder: string;
  remove(): Promise<void>;
}

/** Inside the repository, so that they find the runtime. */
export async function compilePrograms(): Promise<CompiledPrograms> {
  await mkdir(join(repository, '.headrace'), { recursive: true });
  const folder = await mkdtemp(join(repository, '.headrace', 'gateway-spec-'));
  for (const name of sources) {
    const source = join(__dirname, '..', 'src', 'models', `${name}.ts`);
    const { code } = await transformFile(source, { configFile: join(repository, '.swcrc'), sourceMaps: false });
    await writeFile(join(folder, `${name}.js`), code);
  }
  return { folder, remove: () => rm(folder, { recursive: true, force: true }) };
}
