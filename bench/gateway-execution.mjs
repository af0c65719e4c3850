// npm run bench -- gateway-execution
//
// What a run of a model costs by where it runs: in the process that asks, in a worker thread, in a process beside it (the
// gateway's own model host). 100 trees of 31 leaves, 11 features.
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { cpus } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Worker } from 'node:worker_threads';
import artifacts from '@headrace/artifacts';

const repository = resolve(dirname(fileURLToPath(import.meta.url)), '..');
const models = join(repository, 'apps', 'inference-gateway', 'dist', 'models');
const require = createRequire(import.meta.url);
const { OnnxModel } = require(join(models, 'onnx-model.js'));
const { HostProcess } = require(join(models, 'host-process.js'));
const path = join(repository, 'apps', 'inference-gateway', 'test', 'fixtures', 'flight-like.onnx');
const WIDTH = 11;
const inputs = [{ name: 'features', datatype: 'FP32', shape: [-1, WIDTH] }];
const RUNS = 2_000;

const THREAD = `
  const { parentPort, workerData } = require('node:worker_threads');
  const { OnnxModel } = require(workerData.module);
  OnnxModel.load(require('node:fs').readFileSync(workerData.path), workerData.inputs).then((model) => {
    parentPort.on('message', (rows) => model.run(rows).then((outputs) => parentPort.postMessage(outputs)));
    parentPort.postMessage('ready');
  });
`;

async function here() {
  const model = await OnnxModel.load(readFileSync(path), inputs);
  return { run: (rows) => model.run(rows), close: () => model.release() };
}

async function thread() {
  const worker = new Worker(THREAD, {
    eval: true,
    workerData: { module: join(models, 'onnx-model.js'), path, inputs },
  });
  let answer;
  await new Promise((ready) => worker.once('message', ready));
  worker.on('message', (outputs) => answer(outputs));
  const run = (rows) =>
    new Promise((done) => {
      answer = done;
      worker.postMessage(rows);
    });
  return { run, close: () => worker.terminate() };
}

async function process_() {
  const host = new HostProcess({
    script: join(models, 'model-host.js'),
    runTimeoutMs: 60_000,
    loadTimeoutMs: 60_000,
    whileDown: 'refuse',
    onDeath: ({ message }) => {
      throw new Error(message);
    },
  });
  await host.load({ model: 'bench', path, digest: await artifacts.digestOfFile(path), inputs });
  return { run: (rows) => host.run('bench', rows), close: () => host.close() };
}

console.log(`${cpus().length} × ${cpus()[0]?.model ?? 'unknown processor'}, Node ${process.version}; µs of one run`);
console.log('place      rows      p50      p99    CPU of this process');
for (const [name, open] of [
  ['here', here],
  ['thread', thread],
  ['process', process_],
]) {
  const place = await open();
  for (const rows of [1, 16, 64, 256]) {
    const packed = () => ({ rows, bytes: new Uint8Array(rows * WIDTH * 4), strings: [] });
    for (let warm = 0; warm < 300; warm += 1) await place.run(packed());
    const took = [];
    const before = process.cpuUsage();
    for (let run = 0; run < RUNS; run += 1) {
      const from = process.hrtime.bigint();
      await place.run(packed());
      took.push(Number(process.hrtime.bigint() - from) / 1_000);
    }
    const { user, system } = process.cpuUsage(before);
    took.sort((a, b) => a - b);
    const cells = [took[RUNS / 2], took[Math.floor(RUNS * 0.99)], (user + system) / RUNS];
    console.log(name.padEnd(10) + String(rows).padStart(5) + cells.map((cell) => cell.toFixed(0).padStart(9)).join(''));
  }
  await place.close();
}
process.exit(0);
