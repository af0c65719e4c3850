// npm run generate: everything that is made from proto/, from the event catalogue and from deploy/grafana/src.
import { delimiter, join } from 'node:path';
import { repository, runChild, runScript } from './child.mjs';
import { ensureInstalled } from './install.mjs';

await runScript(async () => {
  await ensureInstalled({ python: false, kafka: false, build: false });
  const programs = join(repository, 'node_modules', '.bin');
  // buf finds ts-proto's plugin on the PATH.
  const environment = { PATH: `${programs}${delimiter}${process.env.PATH}` };
  const code = await runChild(join(programs, 'buf'), ['generate'], { environment });
  if (code !== 0) return code;
  for (const script of [
    'generate-serializers.mjs',
    'generate-descriptors.mjs',
    'generate-docs.mjs',
    'generate-asyncapi.mjs',
    'generate-dashboards.mjs',
    'generate-service-levels.mjs',
  ]) {
    const failed = await runChild(process.execPath, [join(repository, 'tools', script)]);
    if (failed !== 0) return failed;
  }
  return 0;
});
