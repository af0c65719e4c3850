// npm test [-- <arguments of jest>]: installs what is missing, then runs every test: jest's (unit, and integration on a
// real Kafka and Postgres) and the trainer's.
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { interrupted, repository, runChild, runScript } from './child.mjs';
import { ensureInstalled, python } from './install.mjs';

await runScript(async () => {
  await ensureInstalled();
  const jest = join(repository, 'node_modules', 'jest', 'bin', 'jest.js');
  const trainer = join(repository, 'trainers', 'tabular');
  const suites = [
    [process.execPath, [jest, '--selectProjects', 'unit', '--passWithNoTests', ...process.argv.slice(2)]],
    // One after the other: services of the same name would share their consumer group on the one Kafka.
    [
      process.execPath,
      [jest, '--selectProjects', 'integration', '--runInBand', '--passWithNoTests', ...process.argv.slice(2)],
    ],
    ...(existsSync(join(trainer, 'tests')) ? [[python, ['-m', 'pytest'], { cwd: trainer }]] : []),
  ];
  let failed = false;
  for (const [command, args, options] of suites) {
    if (interrupted) return 130;
    const code = await runChild(command, args, options);
    failed ||= code !== 0;
  }
  return failed ? 1 : 0;
});
