// npm run chaos [-- --scenario a,b --budget small|full --seed N]: installs what is missing, then runs chaos/run.mjs.
import { join } from 'node:path';
import { interrupted, repository, runChild, runScript } from './child.mjs';
import { ensureInstalled } from './install.mjs';

await runScript(async () => {
  await ensureInstalled();
  if (interrupted) return 130;
  return runChild(process.execPath, [join(repository, 'chaos', 'run.mjs'), ...process.argv.slice(2)]);
});
