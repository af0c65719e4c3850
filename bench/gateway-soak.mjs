// npm run bench -- gateway-soak [--minutes 1] [--server standard|fast] [--per-second N]
//
// At 70 % of what the gateway can do (or so many calls a second), for long: does its memory grow, and does anything hold up its event loop? One row a
// call. With --minutes 10 the slope of the memory says something; a minute only shows that it runs.
import { parseArgs } from 'node:util';
import inference from '@headrace/contracts/inference';
import { machine, measure, memory, stopAll } from './gateway/processes.mjs';
import { FEATURES, World } from './gateway/world.mjs';

const { values: options } = parseArgs({
  options: {
    minutes: { type: 'string', default: '1' },
    server: { type: 'string', default: 'standard' },
    'per-second': { type: 'string' },
  },
});
const MINUTES = Number(options.minutes);
if (!(MINUTES > 0)) throw new Error('--minutes: expected a number above 0');
const ENDPOINT = 'late-arrival';
const EVERY_MS = 2_000;
/** Node's histogram of the loop's delay counts its own interval in. */
const INTERVAL_MS = 10;
/** What the loop may be held up, p99. */
const DELAY_MS = 10;

const request = inference.ModelInferRequest.encode(
  inference.ModelInferRequest.fromPartial({
    modelName: ENDPOINT,
    inputs: [{ name: 'features', datatype: 'FP32', shape: [1n, BigInt(FEATURES)] }],
    rawInputContents: [new Uint8Array(Float32Array.from({ length: FEATURES }, (_, index) => index * 7.5).buffer)],
  }),
).finish();
const call = {
  path: '/inference.GRPCInferenceService/ModelInfer',
  bodies: [Buffer.from(request).toString('base64')],
  connections: 4,
};

/** Least squares: MiB an hour. */
function slope(samples) {
  const mean = (key) => samples.reduce((sum, sample) => sum + sample[key], 0) / samples.length;
  const [at, value] = [mean('hours'), mean('mebibytes')];
  const above = samples.reduce((sum, { hours, mebibytes }) => sum + (hours - at) * (mebibytes - value), 0);
  return above / samples.reduce((sum, { hours }) => sum + (hours - at) ** 2, 0);
}

async function metric(gateway, name) {
  const text = await (await fetch(`http://127.0.0.1:${gateway.httpPort}/metrics`)).text();
  return Number(new RegExp(`^${name}(?:\\{[^}]*\\})? (\\S+)$`, 'm').exec(text)?.[1] ?? NaN);
}

console.log(machine());
const world = await World.start();
try {
  await world.deploy(ENDPOINT);
  const gateway = await world.startGateway(options.server);
  const peak = await measure(gateway, 'http2-load.mjs', { ...call, inFlight: 64, warmUpMs: 8_000, measureMs: 6_000 });
  const perSecond = Math.round(Number(options['per-second'] ?? peak.perSecond * 0.7));
  const samples = [];
  const loops = [];
  const from = performance.now();
  const look = async () => {
    const mebibytes = (await memory(gateway.pid)).now;
    samples.push({ hours: (performance.now() - from) / 3_600_000, mebibytes });
    loops.push(1_000 * (await metric(gateway, 'nodejs_eventloop_lag_p99_seconds')) - INTERVAL_MS);
  };
  // A look that finds nobody is told by the load, which ends with the gateway.
  const timer = setInterval(() => void look().catch(() => undefined), EVERY_MS);
  const load = { ...call, perSecond, timeoutMs: 1_000, mostOpen: 5_000, warmUpMs: 3_000, measureMs: MINUTES * 60_000 };
  const result = await measure(gateway, 'open-load.mjs', load);
  clearInterval(timer);
  // The first third warms up: code is compiled, pools and heaps find their size.
  const settled = samples.slice(Math.floor(samples.length / 3));
  const delay = (quantile) => (lags[Math.floor(quantile * (lags.length - 1))] ?? NaN).toFixed(1);
  const lags = loops.filter((lag) => !Number.isNaN(lag)).sort((a, b) => a - b);
  console.log(
    `${options.server}: ${MINUTES} min at ${perSecond} calls/s (${Math.round((100 * perSecond) / peak.perSecond)} % of ${peak.perSecond}): ${result.good} in time, ${result.late} late, ` +
      `${result.refused} refused, ${result.lost} connections ended by the server, p50 ${result.p50Micros} µs, p99 ${result.p99Micros} µs\n` +
      `  memory ${settled[0]?.mebibytes} → ${settled.at(-1)?.mebibytes} MiB, slope ${slope(settled).toFixed(1)} MiB an hour over the last ${settled.length * (EVERY_MS / 1_000)} s\n` +
      `  event-loop delay p99 between two looks: median ${delay(0.5)} ms, p95 ${delay(0.95)} ms, worst ${delay(1)} ms; ${lags.filter((lag) => lag <= DELAY_MS).length} of ${lags.length} at most ${DELAY_MS} ms`,
  );
} finally {
  await stopAll();
  await world.stop();
}
process.exit(0);
