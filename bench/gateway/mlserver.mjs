// MLServer with the same model file, in a Python environment of its own.
import { copyFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import embedded from '@headrace/embedded';
import { pythonEnvironment } from '../python-environment.mjs';
import { here, SERVER_CORE, startProgram, untilOk } from './processes.mjs';

const REQUIREMENTS = join(here, 'mlserver-requirements.txt');

/** At its best: no worker processes beside it, no access log, no metrics. Answers like the gateway's servers. */
export async function startMlserver(directory, modelPath, name) {
  const programs = await pythonEnvironment('MLServer', REQUIREMENTS);
  const taken = [];
  const port = async () => {
    const free = await embedded.freePort(undefined, taken);
    taken.push(free);
    return free;
  };
  const [grpc, http, metrics] = [await port(), await port(), await port()];
  const settings = {
    debug: false,
    parallel_workers: 0,
    host: '127.0.0.1',
    grpc_port: grpc,
    http_port: http,
    metrics_port: metrics,
    metrics_endpoint: null,
  };
  await writeFile(join(directory, 'settings.json'), JSON.stringify(settings));
  await writeFile(
    join(directory, 'model-settings.json'),
    JSON.stringify({ name, implementation: 'mlserver_model.OnnxFile', parameters: { version: '1' } }),
  );
  await copyFile(join(here, 'mlserver_model.py'), join(directory, 'mlserver_model.py'));
  const child = startProgram(SERVER_CORE, [join(programs, 'mlserver'), 'start', directory], {
    directory,
    environment: { BENCH_MODEL: modelPath, PYTHONPATH: directory },
  });
  child.stdout.resume();
  await untilOk(`http://127.0.0.1:${http}/v2/models/${name}/ready`);
  return { port: grpc, restPort: http, pid: child.pid };
}
