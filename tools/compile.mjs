// Compiles one project's TypeScript to CommonJS: node tools/compile.mjs <src> <dist>.
// Types are checked by `npm run typecheck`; this only strips them, so a build takes a second.
import { mkdir, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { basename, dirname, join, relative, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { transform } from '@swc/core';

const [source = 'src', target = 'dist'] = process.argv.slice(2);
const configFile = resolve(dirname(fileURLToPath(import.meta.url)), '..', '.swcrc');

await rm(target, { recursive: true, force: true });
const entries = await readdir(source, { recursive: true, withFileTypes: true });
for (const entry of entries) {
  if (!entry.isFile() || !entry.name.endsWith('.ts') || /\.(int-)?spec\.ts$|\.d\.ts$/.test(entry.name)) continue;
  const path = join(entry.parentPath, entry.name);
  const out = join(target, relative(source, path)).replace(/\.ts$/, '.js');
  const { code, map } = await transform(await readFile(path, 'utf8'), { filename: resolve(path), configFile });
  await mkdir(dirname(out), { recursive: true });
  await writeFile(out, `${code}\n//# sourceMappingURL=${basename(out)}.map\n`);
  if (map) await writeFile(`${out}.map`, map);
}
