// MLServer with the same model file, in a Python environment of its own that is made when it is missing.
import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { copyFile, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import embedded from '@headrace/embedded';
import { here, repository, SERVER_CORE, startProgram, untilOk } from './processes.mjs';

const ENVIRONMENT = join(repository, '.headrace', 'bench-mlserver');
const REQUIREMENTS = join(here, 'mlserver-requirements.txt');

function run(command, ...args) {
  const { status, error } = spawnSync(command, args, { stdio: ['ignore', 'inherit', 'inherit'] });
  if (error) throw error;
  if (status !== 0) throw new Error(`${command} ${args.join(' ')} ended with exit code ${status}`);
}

/** About 500 MB and a minute, once. */
async function install() {
  const wanted = await readFile(REQUIREMENTS, 'utf8');
  const mark = join(ENVIRONMENT, 'installed.txt');
  if (existsSync(mark) && (await readFile(mark, 'utf8')) === wanted) return;
  console.log('Installing MLServer beside the gateway, once');
  await rm(ENVIRONMENT, { recursive: true, force: true });
  run('python3', '-m', 'venv', ENVIRONMENT);
  run(join(ENVIRONMENT, 'bin', 'pip'), 'install', '--quiet', '--requirement', REQUIREMENTS);
  await writeFile(mark, wanted);
}

/** At its best: no worker processes beside it, no access log, no metrics. Answers like the gateway's servers. */
export async function startMlserver(directory, modelPath, name) {
  await install();
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
  const child = startProgram(SERVER_CORE, [join(ENVIRONMENT, 'bin', 'mlserver'), 'start', directory], {
    directory,
    environment: { BENCH_MODEL: modelPath, PYTHONPATH: directory },
  });
  child.stdout.resume();
  await untilOk(`http://127.0.0.1:${http}/v2/models/${name}/ready`);
  return { port: grpc, restPort: http, pid: child.pid };
}
