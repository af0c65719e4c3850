// npm run bench -- <name> [arguments]: installs what is missing, then runs bench/<name>.mjs.
import { existsSync } from 'node:fs';
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { interrupted, repository, runChild, runScript } from './child.mjs';
import { ensureInstalled } from './install.mjs';

await runScript(async () => {
  const [name, ...rest] = process.argv.slice(2);
  const folder = join(repository, 'bench');
  const files = existsSync(folder) ? await readdir(folder) : [];
  const names = files.filter((file) => file.endsWith('.mjs')).map((file) => file.slice(0, -'.mjs'.length));
  if (name === undefined || !names.includes(name)) {
    const what = name === undefined ? 'No benchmark was named' : `There is no benchmark "${name}"`;
    console.error(`${what}: run \`npm run bench -- <name>\` with one of: ${names.join(', ') || '(there are none)'}.`);
    return 2;
  }
  await ensureInstalled();
  if (interrupted) return 130;
  return runChild(process.execPath, [join(folder, `${name}.mjs`), ...rest]);
});
