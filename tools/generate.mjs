// npm run generate: everything that is made from proto/, from the event catalogue and from deploy/grafana/src.
import { existsSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import { repository, runChild, runScript } from './child.mjs';
import { ensureInstalled } from './install.mjs';

await runScript(async () => {
  await ensureInstalled({ python: false, kafka: false, build: false });
  const programs = join(repository, 'node_modules', '.bin');
  // buf finds ts-proto's plugin on the PATH.
  const environment = { PATH: `${programs}${delimiter}${process.env.PATH}` };
  const code = await runChild(join(programs, 'buf'), ['generate'], { environment });
  const documents = join(repository, 'tools', 'generate-docs.mjs');
  if (code !== 0 || !existsSync(documents)) return code;
  const dashboards = join(repository, 'tools', 'generate-dashboards.mjs');
  return (await runChild(process.execPath, [documents])) || runChild(process.execPath, [dashboards]);
});
