// npm run bench -- gateway [--seconds 4] [--without-mlserver] [--without-attacks]
//
// The built gateway on one core, on both of its gRPC servers, with a real Kafka behind it: ModelInfer of one row of 11
// features through 100 trees of 31 leaves, streams, batches of 32, REST; Predict by entity with the real feature store.
// Beside it, in turns with it: a bare echo of the same bytes on both servers, and MLServer with the same model file and rows.
// At the end: what honest callers notice while hostile clients are at work.
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import inference from '@headrace/contracts/inference';
import predict from '@headrace/contracts/proto/inference/v1/inference_service';
import { startMlserver } from './gateway/mlserver.mjs';
import {
  here,
  LOAD_CORE,
  machine,
  measure,
  memory,
  SERVER_CORE,
  startNode,
  stopAll,
  waitForLine,
} from './gateway/processes.mjs';
import { AIRPORTS, FEATURES, MODEL, World } from './gateway/world.mjs';

const { values: options } = parseArgs({
  options: {
    seconds: { type: 'string', default: '4' },
    'without-mlserver': { type: 'boolean', default: false },
    'without-attacks': { type: 'boolean', default: false },
  },
});
const MEASURE_MS = Number(options.seconds) * 1_000;
if (!(MEASURE_MS > 0)) throw new Error('--seconds: expected a number above 0');
const WARM_UP_MS = 1_500;
const MODEL_INFER = '/inference.GRPCInferenceService/ModelInfer';
const STREAM_INFER = '/inference.GRPCInferenceService/ModelStreamInfer';
const PREDICT = predict.InferenceService.predict.path;
const SERVERS = ['standard', 'fast'];
const ATTACKS = ['slow-loris', 'rapid-reset', 'giant-headers', 'continuation-flood', 'bombs', 'half-open', 'malformed'];
const ENDPOINT = 'late-arrival';

const times = { warmUpMs: WARM_UP_MS, measureMs: MEASURE_MS };
const base64 = (bytes) => Buffer.from(bytes).toString('base64');
const grpcLoad = (server, path, bodies, inFlight, stream = false) =>
  measure(server, 'http2-load.mjs', {
    path,
    bodies: bodies.map(base64),
    inFlight,
    connections: Math.min(4, inFlight),
    stream,
    ...times,
  });
const restLoad = (server, bodies, inFlight) =>
  measure({ pid: server.pid, port: server.restPort }, 'http1-load.mjs', {
    path: `/v2/models/${ENDPOINT}/infer`,
    bodies: bodies.map(base64),
    inFlight,
    ...times,
  });

const rowsOf = (rows) => Float32Array.from({ length: FEATURES * rows }, (_, index) => (index % FEATURES) * 7.5);

function tensorRequest(rows) {
  return inference.ModelInferRequest.encode(
    inference.ModelInferRequest.fromPartial({
      modelName: ENDPOINT,
      inputs: [{ name: 'features', datatype: 'FP32', shape: [BigInt(rows), BigInt(FEATURES)] }],
      rawInputContents: [new Uint8Array(rowsOf(rows).buffer)],
    }),
  ).finish();
}

function restRequest(rows) {
  const features = { name: 'features', datatype: 'FP32', shape: [rows, FEATURES], data: [...rowsOf(rows)] };
  return Buffer.from(JSON.stringify({ inputs: [features] }));
}

/** One for each airport. */
const predictRequests = (endpoint) =>
  AIRPORTS.map((origin) =>
    predict.PredictRequest.encode(predict.PredictRequest.fromPartial({ endpoint, entities: { origin } })).finish(),
  );

/** The first score of an answer: all servers must say the same. */
const scores = new Set();
function checkTensors(response, rows) {
  const at = response.outputs.findIndex(({ name }) => name === 'probabilities');
  const raw = response.rawOutputContents[at];
  const contents = response.outputs[at]?.contents?.fp32Contents ?? [];
  const values = raw ? new Float32Array(Uint8Array.from(raw).buffer) : contents;
  if (values.length !== 2 * rows) throw new Error('the answer holds no probabilities');
  scores.add(values[1].toFixed(4));
  if (scores.size > 1) throw new Error(`the servers do not agree: ${[...scores].join(', ')}`);
}
const decoded = (example) => inference.ModelInferResponse.decode(Buffer.from(example, 'base64'));
const checkInfer = ({ example }, rows = 1) => checkTensors(decoded(example), rows);
function checkStream({ example }, rows = 1) {
  const { errorMessage, inferResponse } = inference.ModelStreamInferResponse.decode(Buffer.from(example, 'base64'));
  if (errorMessage !== '') throw new Error(errorMessage);
  checkTensors(inferResponse, rows);
}
function checkRest({ example }) {
  const { outputs } = JSON.parse(Buffer.from(example, 'base64'));
  const probabilities = outputs.find(({ name }) => name === 'probabilities');
  if (probabilities?.data.flat().length !== 2) throw new Error('the answer holds no probabilities');
}
function checkPredict({ example }) {
  const { features, fallback, version } = predict.PredictResponse.decode(Buffer.from(example, 'base64'));
  if (fallback || version !== 1 || features.length !== FEATURES) throw new Error('Predict did not answer by the model');
  if (features.some(({ value }) => Number.isNaN(value))) throw new Error('Predict answered without a feature');
}

const figures = new Map();
function row(name, inFlight, result, rows = 1) {
  figures.set(`${name} ${inFlight}`, result);
  const cells = [
    [name, -34],
    [inFlight, 9],
    [result.perSecond, 12],
    [result.perSecond * rows, 15],
    [result.p50Micros, 9],
    [result.p99Micros, 9],
    [result.cpuMicros.toFixed(1), 9],
    [Math.round(1e6 / result.cpuMicros), 12],
  ];
  print(cells);
}
function print(cells) {
  console.log(
    cells.map(([value, width]) => (width < 0 ? String(value).padEnd(-width) : String(value).padStart(width))).join(''),
  );
}

async function tensors(gateways, echoes, mlserver) {
  const [one, batch, rest] = [[tensorRequest(1)], [tensorRequest(32)], [restRequest(1)]];
  const all = [...SERVERS.map((kind) => [kind, gateways[kind]]), ...(mlserver ? [['MLServer', mlserver]] : [])];
  for (const inFlight of [1, 16, 64]) {
    for (const kind of SERVERS)
      row(`bare echo, ${kind}`, inFlight, await grpcLoad(echoes[kind], '/bench.Echo/Echo', one, inFlight));
    for (const [kind, server] of all) {
      const result = await grpcLoad(server, MODEL_INFER, one, inFlight);
      checkInfer(result);
      row(`ModelInfer, ${kind}`, inFlight, result);
    }
  }
  for (const [kind, server] of all) {
    const result = await grpcLoad(server, MODEL_INFER, batch, 16);
    checkInfer(result, 32);
    row(`ModelInfer of 32, ${kind}`, 16, result, 32);
  }
  for (const kind of SERVERS) {
    const result = await grpcLoad(gateways[kind], STREAM_INFER, one, 256, true);
    checkStream(result);
    row(`ModelStreamInfer, ${kind}`, 256, result);
  }
  for (const inFlight of [1, 16, 64]) {
    row(
      'bare echo, node:http',
      inFlight,
      await restLoad({ ...echoes.http, restPort: echoes.http.port }, rest, inFlight),
    );
    for (const [kind, server] of all.filter(([name]) => name !== 'fast')) {
      const result = await restLoad(server, rest, inFlight);
      checkRest(result);
      row(`REST, ${kind === 'standard' ? 'gateway' : kind}`, inFlight, result);
    }
  }
}

async function byEntity(gateways) {
  const asks = [
    ['1 view', 'one-view', [1, 16, 64]],
    ['1 view, not logged', 'one-view-unlogged', [16, 64]],
    ['3 views', 'three-views', [1, 16, 64]],
  ];
  for (const [what, endpoint, loads] of asks) {
    for (const inFlight of loads) {
      for (const kind of SERVERS) {
        const result = await grpcLoad(gateways[kind], PREDICT, predictRequests(endpoint), inFlight);
        checkPredict(result);
        row(`Predict, ${what}, ${kind}`, inFlight, result);
      }
    }
  }
}

/** Figures of this run beside each other: the machine's speed falls out. By throughput where the load's core had room, and by CPU. */
function printRatios() {
  const line = (what, a, b, aim) => {
    const [over, under] = [figures.get(a), figures.get(b)];
    if (!over || !under) return;
    const [requests, cpu] = [over.perSecond / under.perSecond, under.cpuMicros / over.cpuMicros];
    console.log(`  ${what.padEnd(52)}${requests.toFixed(2).padStart(8)}${cpu.toFixed(2).padStart(10)}   ${aim}`);
  };
  console.log(`\n${''.padEnd(52)}  requests/s    by CPU   aim`);
  line('ModelInfer, standard ÷ MLServer, 64 in flight', 'ModelInfer, standard 64', 'ModelInfer, MLServer 64', '≥ 15');
  line('ModelInfer, fast ÷ MLServer, 64 in flight', 'ModelInfer, fast 64', 'ModelInfer, MLServer 64', '≥ 45');
  line('REST, gateway ÷ MLServer, 16 in flight', 'REST, gateway 16', 'REST, MLServer 16', '≥ 12');
  line('REST, gateway ÷ bare echo, node:http, 16 in flight', 'REST, gateway 16', 'bare echo, node:http 16', '');
  for (const kind of SERVERS)
    line(`ModelInfer ÷ bare echo, ${kind}, 64 in flight`, `ModelInfer, ${kind} 64`, `bare echo, ${kind} 64`, '≥ 0.8');
  for (const kind of SERVERS)
    line(
      `Predict logged ÷ not logged, ${kind}, 64 in flight`,
      `Predict, 1 view, ${kind} 64`,
      `Predict, 1 view, not logged, ${kind} 64`,
      '≥ 0.9',
    );
  for (const kind of SERVERS) {
    const [tensor, entity] = [figures.get(`ModelInfer, ${kind} 1`), figures.get(`Predict, 1 view, ${kind} 1`)];
    const added = entity && tensor ? ((entity.p50Micros - tensor.p50Micros) / 1_000).toFixed(2) : '?';
    console.log(`  features add to the p50, ${kind}, 1 in flight: ${added} ms (aim ≤ 1)`);
    const p99 = (figures.get(`ModelInfer, ${kind} 16`)?.p99Micros ?? NaN) / 1_000;
    console.log(`  p99 of ModelInfer, ${kind}, 16 in flight: ${p99.toFixed(2)} ms (aim ≤ 3)`);
  }
}

async function attacks(gateways) {
  const one = [tensorRequest(1)];
  console.log('\n16 honest calls in flight beside hostile clients: p99 µs (as many times that of the quiet server)');
  for (const kind of SERVERS) {
    const server = gateways[kind];
    const quiet = await grpcLoad(server, MODEL_INFER, one, 16);
    const cells = [`  ${kind}: quiet ${quiet.p99Micros}`];
    for (const attack of ATTACKS) {
      const attacker = startNode(LOAD_CORE, [join(here, 'hostile-clients.mjs'), String(server.port), attack]);
      await waitForLine(attacker, (line) => (line === 'attacking' ? line : undefined));
      const { p99Micros } = await grpcLoad(server, MODEL_INFER, one, 16);
      attacker.stdin.end();
      cells.push(`${attack} ${p99Micros} (${(p99Micros / quiet.p99Micros).toFixed(1)})`);
    }
    console.log(`${cells.join(', ')}; memory at most ${(await memory(server.pid)).most} MiB`);
  }
}

async function startEcho(kind) {
  const child = startNode(SERVER_CORE, [join(here, 'echo-server.mjs'), kind]);
  return { port: Number(await waitForLine(child, (line) => (line === '' ? undefined : line))), pid: child.pid };
}

const world = await World.start();
try {
  await world.startFeatureStore();
  await world.deploy(ENDPOINT);
  await world.deploy('one-view', { views: 1 });
  await world.deploy('one-view-unlogged', { views: 1, logSampleRate: 0 });
  await world.deploy('three-views', { views: 3 });
  const gateways = {};
  const echoes = {};
  for (const kind of SERVERS) {
    gateways[kind] = await world.startGateway(kind);
    echoes[kind] = await startEcho(kind);
  }
  echoes.http = await startEcho('http');
  let mlserver;
  if (!options['without-mlserver']) {
    const directory = join(world.directory, 'mlserver');
    await mkdir(directory);
    mlserver = await startMlserver(directory, MODEL, ENDPOINT);
  }
  console.log(machine());
  print([
    ['', -34],
    ['in flight', 9],
    ['requests/s', 12],
    ['predictions/s', 15],
    ['p50 µs', 9],
    ['p99 µs', 9],
    ['CPU µs', 9],
    ['1e6/CPU µs', 12],
  ]);
  await byEntity(gateways);
  await tensors(gateways, echoes, mlserver);
  console.log(
    'CPU µs: processor time of the server for a request; on a busy machine 1,000,000 ÷ it is the better figure.',
  );
  printRatios();
  for (const kind of SERVERS)
    console.log(`  memory of the gateway, ${kind}: ${(await memory(gateways[kind].pid)).now} MiB`);
  if (mlserver) console.log(`  memory of MLServer: ${(await memory(mlserver.pid)).now} MiB`);
  if (!options['without-attacks']) await attacks(gateways);
} finally {
  await stopAll();
  await world.stop();
}
process.exit(0);
