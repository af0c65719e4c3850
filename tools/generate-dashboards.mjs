// deploy/grafana/dashboards/*.json from deploy/grafana/src: one file for each dashboard.
import { mkdir, writeFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { repository, runChild } from './child.mjs';

const folder = join(repository, 'deploy', 'grafana');
const code = await runChild(process.execPath, [join(repository, 'tools', 'compile.mjs'), 'src', 'dist'], {
  cwd: folder,
});
if (code !== 0) process.exit(code);
const { overview } = createRequire(import.meta.url)(join(folder, 'dist', 'overview.js'));
await mkdir(join(folder, 'dashboards'), { recursive: true });
await writeFile(join(folder, 'dashboards', 'overview.json'), `${JSON.stringify(overview(), null, 2)}\n`);
