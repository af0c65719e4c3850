// deploy/grafana/dashboards/*.json from deploy/grafana/src: one file for each dashboard.
import { mkdir, rm, writeFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { repository, runChild } from './child.mjs';

// With the service levels, which a dashboard shows.
const folder = join(repository, 'deploy');
const code = await runChild(process.execPath, [join(repository, 'tools', 'compile.mjs'), '.', 'dist'], {
  cwd: folder,
});
if (code !== 0) process.exit(code);
const { dashboards } = createRequire(import.meta.url)(join(folder, 'dist', 'grafana', 'src', 'dashboards.js'));
const target = join(folder, 'grafana', 'dashboards');
// A dashboard that is no longer made leaves no file behind.
await rm(target, { recursive: true, force: true });
await mkdir(target);
for (const [name, make] of Object.entries(dashboards)) {
  await writeFile(join(target, `${name}.json`), `${JSON.stringify(make(), null, 2)}\n`);
}
