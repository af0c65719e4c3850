// deploy/prometheus/rules/service-levels.yml and its tests from deploy/prometheus/src.
import { writeFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { stringify } from 'yaml';
import { repository, runChild } from './child.mjs';

const folder = join(repository, 'deploy');
const code = await runChild(process.execPath, [join(repository, 'tools', 'compile.mjs'), '.', 'dist'], {
  cwd: folder,
});
if (code !== 0) process.exit(code);
const { serviceLevelRules, serviceLevelTests } = createRequire(import.meta.url)(
  join(folder, 'dist', 'prometheus', 'src', 'rules.js'),
);
const header = '# Made from deploy/prometheus/src by npm run generate.\n';
const write = (name, content) =>
  writeFile(join(folder, 'prometheus', name), header + stringify(content, { lineWidth: 0 }));
await write('rules/service-levels.yml', serviceLevelRules());
await write('tests/service-levels.yml', serviceLevelTests());
