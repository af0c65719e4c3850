// Checks which part may import which: the rules are in .dependency-cruiser.cjs.
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { repository, runChild, runScript } from './child.mjs';

await runScript(async () => {
  const rules = join(repository, '.dependency-cruiser.cjs');
  if (!existsSync(rules)) {
    console.log('There are no boundary rules (.dependency-cruiser.cjs).');
    return 0;
  }
  const cruiser = join(repository, 'node_modules', 'dependency-cruiser', 'bin', 'dependency-cruise.mjs');
  return runChild(process.execPath, [cruiser, '--config', rules, 'apps', 'libs']);
});
