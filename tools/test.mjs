// npm test [-- <arguments of jest>]: installs what is missing, then runs every test: jest's (unit, and integration on a
// real Kafka and Postgres) and the trainer's.
import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { interrupted, repository, runChild, runScript } from './child.mjs';
import { ensureInstalled, python } from './install.mjs';

/**
 * Every project's integration specs get a Kafka of their own, one file after the other: services of one name share their
 * consumer groups and topics. With arguments for jest: one run, as they say.
 */
function integrationRuns(given) {
  if (given.length > 0) return [given];
  const projects = ['apps', 'libs'].flatMap((kind) =>
    readdirSync(join(repository, kind)).map((name) => join(kind, name)),
  );
  return projects
    .filter((project) =>
      ['src', 'test'].some((folder) => {
        const path = join(repository, project, folder);
        return existsSync(path) && readdirSync(path, { recursive: true }).some((file) => file.endsWith('.int-spec.ts'));
      }),
    )
    .map((project) => ['--testPathPatterns', `/${project}/`]);
}

await runScript(async () => {
  await ensureInstalled({ clients: true });
  const jest = join(repository, 'node_modules', 'jest', 'bin', 'jest.js');
  const trainer = join(repository, 'trainers', 'tabular');
  const suites = [
    [process.execPath, [jest, '--selectProjects', 'unit', '--passWithNoTests', ...process.argv.slice(2)]],
    ...integrationRuns(process.argv.slice(2)).map((args) => [
      process.execPath,
      // By force: Node at times counts a timer that is gone, and would then wait for ever with nothing open.
      [jest, '--selectProjects', 'integration', '--runInBand', '--forceExit', '--passWithNoTests', ...args],
    ]),
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
