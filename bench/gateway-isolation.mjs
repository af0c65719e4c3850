// npm run bench -- gateway-isolation [--requests 1000000]
//
// Every answer belongs to its request: so many requests of unique rows, thousands at once, through the micro-batcher and a
// real model, in the gateway's own process and in one beside it. The model's score is the first value of the row.
import { createRequire } from 'node:module';
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { readFileSync } from 'node:fs';
import { parseArgs } from 'node:util';
import artifacts from '@headrace/artifacts';

const { values: options } = parseArgs({ options: { requests: { type: 'string', default: '1000000' } } });
const REQUESTS = Number(options.requests);
const AT_ONCE = 5_000;
const WIDTH = 11;
// Whole numbers that float32 holds exactly.
if (!(REQUESTS > 0 && REQUESTS < 2 ** 24)) throw new Error('--requests: expected 1 to 16777215');

const gateway = join(resolve(dirname(fileURLToPath(import.meta.url)), '..'), 'apps', 'inference-gateway');
const require = createRequire(import.meta.url);
const { MicroBatcher } = require(join(gateway, 'dist', 'models', 'micro-batcher.js'));
const { Placement } = require(join(gateway, 'dist', 'models', 'placement.js'));
const path = join(gateway, 'test', 'fixtures', 'hostile', 'hangs-on-negative.onnx');
const inputs = [{ name: 'features', datatype: 'FP32', shape: [-1, WIDTH] }];

const placement = new Placement({
  hostScript: join(gateway, 'dist', 'models', 'model-host.js'),
  sharedHosts: 1,
  hereMicros: 2_000,
  sharedMicros: 50_000,
  maxRunRows: 256,
  runTimeoutMs: 60_000,
  loadTimeoutMs: 60_000,
  ownMemoryMiB: 1_000,
  onDeath: (place, models, { message }) => {
    throw new Error(message);
  },
});

let failed = false;
for (const role of ['champion', 'canary']) {
  const bytes = readFileSync(path);
  const digest = await artifacts.digestOfFile(path);
  const model = await placement.hold({ key: role, role, path, bytes, digest, inputs, aloneMicros: 10, rowMicros: 3 });
  const batcher = new MicroBatcher(model, {
    maxBatchRows: model.runRows,
    maxQueuedRows: 2 * AT_ONCE,
    targetDelayMs: 60_000,
  });
  let [asked, answered, wrong] = [0, 0, 0];
  const from = performance.now();
  await new Promise((done) => {
    const ask = () => {
      if (asked === REQUESTS) return;
      const own = (asked += 1);
      const row = new Float32Array(WIDTH);
      row[0] = own;
      const packed = { rows: 1, bytes: new Uint8Array(row.buffer), strings: [] };
      batcher.submit(packed, (error, outputs) => {
        if (error || outputs.probabilities.data.length !== 2 || outputs.probabilities.data[1] !== own) wrong += 1;
        answered += 1;
        if (answered === REQUESTS) done();
        else ask();
      });
    };
    for (let index = 0; index < AT_ONCE; index += 1) ask();
  });
  const perSecond = Math.round((REQUESTS / (performance.now() - from)) * 1_000);
  console.log(
    `${model.place.padEnd(6)} ${REQUESTS} requests, ${AT_ONCE} at once: ${wrong} wrong answers, ${perSecond} a second`,
  );
  failed ||= wrong > 0;
  await model.release();
}
placement.closeAll();
process.exit(failed ? 1 : 0);
