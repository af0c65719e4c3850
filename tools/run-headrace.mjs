import { join } from 'node:path';
import { interrupted, repository, runChild, runScript } from './child.mjs';
import { ensureInstalled } from './install.mjs';

/** Installs what is missing, then runs `headrace <command>` with this script's arguments and ends with its exit code. */
export async function runHeadrace(command) {
  await runScript(async () => {
    await ensureInstalled();
    if (interrupted) return 130;
    const cli = join(repository, 'apps', 'cli', 'bin', 'headrace.mjs');
    return runChild(process.execPath, [cli, command, ...process.argv.slice(2)]);
  });
}
