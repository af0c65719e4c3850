// npm run game-day [-- --only A,B --factor N --check]: installs what is missing, then runs game-day/run.mjs.
import { join } from 'node:path';
import { interrupted, repository, runChild, runScript } from './child.mjs';
import { ensureInstalled } from './install.mjs';

await runScript(async () => {
  await ensureInstalled();
  if (interrupted) return 130;
  return runChild(process.execPath, [join(repository, 'game-day', 'run.mjs'), ...process.argv.slice(2)]);
});
