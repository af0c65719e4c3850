// npm run bench -- gateway-overload [--times 5] [--seconds 8]
//
// More than the gateway can do: calls of 1,024 rows (some milliseconds of the model) with a deadline, so many times as many
// as it answers at its best. Goodput: answers within the deadline. Right after it, half of what it can do.
import { parseArgs } from 'node:util';
import inference from '@headrace/contracts/inference';
import { machine, measure, memory, stopAll } from './gateway/processes.mjs';
import { FEATURES, World } from './gateway/world.mjs';

const { values: options } = parseArgs({
  options: { times: { type: 'string', default: '5' }, seconds: { type: 'string', default: '8' } },
});
const TIMES = Number(options.times);
const MEASURE_MS = Number(options.seconds) * 1_000;
const TIMEOUT_MS = 200;
const ROWS = 1_024;
const ENDPOINT = 'late-arrival';
/** What it can do at its best is the best of these. */
const IN_FLIGHT = [4, 8];

const rows = Float32Array.from({ length: FEATURES * ROWS }, (_, index) => (index % FEATURES) * 7.5);
const request = inference.ModelInferRequest.encode(
  inference.ModelInferRequest.fromPartial({
    modelName: ENDPOINT,
    inputs: [{ name: 'features', datatype: 'FP32', shape: [BigInt(ROWS), BigInt(FEATURES)] }],
    rawInputContents: [new Uint8Array(rows.buffer)],
  }),
).finish();
const call = {
  path: '/inference.GRPCInferenceService/ModelInfer',
  bodies: [Buffer.from(request).toString('base64')],
  connections: 16,
  warmUpMs: 4_000,
  measureMs: MEASURE_MS,
};
const paced = (gateway, perSecond, times = {}) =>
  measure(gateway, 'open-load.mjs', { ...call, perSecond, timeoutMs: TIMEOUT_MS, mostOpen: 5_000, ...times });
const ms = (micros) => (micros / 1_000).toFixed(1);

/** @returns {Promise<boolean>} whether every bound was kept */
async function overload(kind, gateway) {
  const peaks = [];
  for (const inFlight of IN_FLIGHT) peaks.push(await measure(gateway, 'http2-load.mjs', { ...call, inFlight }));
  const peak = peaks.reduce((best, one) => (one.perSecond > best.perSecond ? one : best));
  const quiet = await memory(gateway.pid);
  const over = await paced(gateway, TIMES * peak.perSecond);
  const under = await memory(gateway.pid);
  const after = await paced(gateway, Math.round(peak.perSecond / 2), { warmUpMs: 500, measureMs: 2_000 });
  const share = over.goodPerSecond / peak.perSecond;
  console.log(
    `${kind}: at its best ${peak.perSecond} calls/s (p99 ${ms(peak.p99Micros)} ms, ${ROWS} rows each)\n` +
      `  ${over.perSecond} calls/s with ${TIMEOUT_MS} ms each: ${over.goodPerSecond} in time (${(share * 100).toFixed(0)} % of its best), ` +
      `accepted p50 ${ms(over.p50Micros)} p99 ${ms(over.p99Micros)} ms, ${over.late} late, ${over.refused} refused, ` +
      `${over.notSent} not sent because 5,000 were open, ${over.lost} connections ended by the server\n` +
      `  memory at most ${under.most} MiB (${quiet.most} before)\n` +
      `  half a second later, at half of its best: ${((100 * after.good) / after.requests).toFixed(1)} % in time, p99 ${ms(after.p99Micros)} ms`,
  );
  return share >= 0.8 && over.p99Micros <= TIMEOUT_MS * 1_000 && after.good / after.requests > 0.99;
}

console.log(machine());
const world = await World.start();
let good = true;
try {
  await world.deploy(ENDPOINT);
  for (const kind of ['standard', 'fast']) good = (await overload(kind, await world.startGateway(kind))) && good;
} finally {
  await stopAll();
  await world.stop();
}
process.exit(good ? 0 : 1);
