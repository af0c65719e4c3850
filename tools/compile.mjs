// Compiles one project's TypeScript to CommonJS: node tools/compile.mjs <src> <dist>.
// Types are checked by `npm run typecheck`; this only strips them, so a build takes a second.
import { mkdir, readdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { basename, dirname, join, relative, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { transform } from '@swc/core';

const [source = 'src', target = 'dist'] = process.argv.slice(2);
const configFile = resolve(dirname(fileURLToPath(import.meta.url)), '..', '.swcrc');

// Written beside and put in place at once: a service that starts meanwhile finds the old build or the new one.
const fresh = `${target}.${process.pid}`;
const entries = await readdir(source, { recursive: true, withFileTypes: true });
for (const entry of entries) {
  if (!entry.isFile() || !entry.name.endsWith('.ts') || /\.(int-)?spec\.ts$|\.d\.ts$/.test(entry.name)) continue;
  const path = join(entry.parentPath, entry.name);
  const out = join(fresh, relative(source, path)).replace(/\.ts$/, '.js');
  const { code, map } = await transform(await readFile(path, 'utf8'), { filename: resolve(path), configFile });
  await mkdir(dirname(out), { recursive: true });
  await writeFile(out, `${code}\n//# sourceMappingURL=${basename(out)}.map\n`);
  if (map) await writeFile(`${out}.map`, map);
}
await rm(target, { recursive: true, force: true });
await rename(fresh, target);
