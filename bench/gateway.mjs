// npm run bench -- gateway [--seconds 4]
//
// The built gateway on one core, on both of its gRPC servers, with a real Kafka behind it: ModelInfer of one row of 11
// features through 100 trees of 31 leaves, and of batches of 32. Beside it a bare echo of the same bytes on both servers,
// measured in turns with it. At the end: what honest callers notice while hostile clients are at work.
import { spawn, spawnSync } from 'node:child_process';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { cpus, tmpdir, totalmem } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import 'reflect-metadata';
import artifacts from '@headrace/artifacts';
import contracts from '@headrace/contracts';
import inference from '@headrace/contracts/inference';
import embedded from '@headrace/embedded';
import messaging from '@headrace/messaging';
import { NestFactory } from '@nestjs/core';

const { values: options } = parseArgs({ options: { seconds: { type: 'string', default: '4' } } });
const repository = resolve(dirname(fileURLToPath(import.meta.url)), '..');
const here = join(repository, 'bench', 'gateway');
const WARM_UP_MS = 1_500;
const MEASURE_MS = Number(options.seconds) * 1_000;
const MODEL_INFER = '/inference.GRPCInferenceService/ModelInfer';
const SERVERS = ['standard', 'fast'];
const ATTACKS = ['slow-loris', 'rapid-reset', 'giant-headers', 'continuation-flood', 'bombs', 'half-open', 'malformed'];
const ENDPOINT = 'late-arrival';
const FEATURES = 11;

const canPin = spawnSync('taskset', ['-c', '0', 'true']).status === 0 && cpus().length > 1;
const pinned = (core, command) => (canPin ? ['taskset', '-c', String(core), ...command] : command);

const children = [];
function start(core, args, environment = {}, inherit = 'inherit') {
  const [command, ...rest] = pinned(core, [process.execPath, ...args]);
  const child = spawn(command, rest, { env: { ...process.env, ...environment }, stdio: ['pipe', 'pipe', inherit] });
  children.push(child);
  return child;
}

/** First line of output that `find` makes something of. */
function waitForLine(child, find) {
  return new Promise((done, fail) => {
    let text = '';
    child.once('exit', (code) => fail(new Error(`a process ended with exit code ${code}:\n${text}`)));
    child.stdout.on('data', (chunk) => {
      text += chunk;
      for (const line of text.split('\n').slice(0, -1)) {
        const found = find(line);
        if (found !== undefined) done(found);
      }
    });
  });
}

/** Microseconds of CPU that a process has used; NaN where the system does not say. */
async function cpuMicros(pid) {
  const text = await readFile(`/proc/${pid}/stat`, 'utf8').catch(() => '');
  const fields = text.slice(text.lastIndexOf(')') + 2).split(' ');
  return (Number(fields[11]) + Number(fields[12])) * 10_000;
}

async function load(server, path, body, inFlight) {
  const { port, pid } = server;
  const plan = {
    port,
    path,
    body: Buffer.from(body).toString('base64'),
    inFlight,
    connections: Math.min(4, inFlight),
    warmUpMs: WARM_UP_MS,
    measureMs: MEASURE_MS,
  };
  const child = start(1, [join(here, 'http2-load.mjs'), JSON.stringify(plan)]);
  await waitForLine(child, (line) => (line === 'warm' ? line : undefined));
  const before = await cpuMicros(pid);
  const result = await waitForLine(child, (line) => (line.startsWith('{') ? JSON.parse(line) : undefined));
  result.cpuMicros = ((await cpuMicros(pid)) - before) / result.requests;
  if (result.failed > 0) throw new Error(`${result.failed} of ${result.requests} requests failed`);
  return result;
}

async function publishDeployment(brokers, artifact) {
  const app = await NestFactory.createApplicationContext(
    messaging.MessagingModule.forService({ service: 'registry', brokers: [brokers] }),
    { logger: false },
  );
  const columns = Array.from({ length: FEATURES }, (_, index) => ({
    name: `f${index}`,
    view: 'view',
    feature: `f${index}`,
    requestExpression: '',
    entity: 'origin',
  }));
  await app.get(messaging.BULK_PUBLISHER).publish([
    {
      definition: contracts.events.DeploymentChanged,
      id: 'bench-deployment',
      producer: { shard: 'bench', sequence: 1 },
      cause: null,
      data: {
        endpoint: ENDPOINT,
        generation: 1,
        model: ENDPOINT,
        versions: [
          {
            version: 1,
            role: 1,
            weightPercent: 100,
            modelArtifact: artifact,
            profileArtifact: undefined,
            signature: { task: 'binary', inputs: [], outputs: [], features: columns },
          },
        ],
        rollout: undefined,
        behaviour: undefined,
      },
    },
  ]);
  await app.close();
}

async function ready(httpPort) {
  for (let attempt = 0; attempt < 600; attempt += 1) {
    const response = await fetch(`http://127.0.0.1:${httpPort}/readyz`).catch(() => undefined);
    if (response?.ok) return;
    await new Promise((done) => setTimeout(done, 100));
  }
  throw new Error('the gateway is not ready after a minute');
}

function requestOf(rows) {
  const features = Float32Array.from({ length: FEATURES * rows }, (_, index) =>
    index % FEATURES === 3 ? NaN : (index % FEATURES) * 7.5,
  );
  return inference.ModelInferRequest.encode(
    inference.ModelInferRequest.fromPartial({
      modelName: ENDPOINT,
      inputs: [{ name: 'features', datatype: 'FP32', shape: [BigInt(rows), BigInt(FEATURES)] }],
      rawInputContents: [new Uint8Array(features.buffer)],
    }),
  ).finish();
}

function checkAnswer(example, rows) {
  const answer = inference.ModelInferResponse.decode(Buffer.from(example, 'base64'));
  const probabilities = answer.outputs.findIndex(({ name }) => name === 'probabilities');
  if (answer.rawOutputContents[probabilities]?.byteLength !== 8 * rows)
    throw new Error('the answer holds no probabilities');
}

async function startGateway(kind, brokers) {
  const httpPort = await embedded.freePort();
  const child = start(0, [join(repository, 'apps', 'inference-gateway', 'dist', 'main.js')], {
    NODE_ENV: 'production',
    KAFKA_BROKERS: brokers,
    HEADRACE_ARTIFACTS: join(directory, 'artifacts'),
    FEATURE_STORE_ADDRESS: '127.0.0.1:1',
    HTTP_PORT: String(httpPort),
    GATEWAY_GRPC_SERVER: kind,
    HEADRACE_PARENT_WATCH: '1',
    LOG_LEVEL: 'info',
  });
  const port = await waitForLine(child, (line) => {
    const entry = line.startsWith('{') ? JSON.parse(line) : {};
    return entry.msg === 'gRPC listens' ? entry.port : undefined;
  });
  await ready(httpPort);
  return { port, pid: child.pid };
}

async function startEcho(kind) {
  const child = start(0, [join(here, 'echo-server.mjs'), kind]);
  return { port: Number(await waitForLine(child, (line) => (line === '' ? undefined : line))), pid: child.pid };
}

function print(cells) {
  console.log(
    cells.map(([value, width]) => (width < 0 ? String(value).padEnd(-width) : String(value).padStart(width))).join(''),
  );
}

function printResult(name, inFlight, result, rows = 1) {
  print([
    [name, -28],
    [inFlight, 9],
    [result.perSecond, 12],
    [result.perSecond * rows, 15],
    [result.p50Micros, 9],
    [result.p99Micros, 9],
    [result.cpuMicros.toFixed(1), 9],
    [Math.round(1e6 / result.cpuMicros), 12],
  ]);
}

/** The largest resident memory that a process had until now, MiB. */
async function peakMemory(pid) {
  const text = await readFile(`/proc/${pid}/status`, 'utf8').catch(() => '');
  return Math.round(Number(/VmHWM:\s+(\d+)/.exec(text)?.[1] ?? NaN) / 1024);
}

async function underAttack(server, attack, body) {
  const attacker = start(1, [join(here, 'hostile-clients.mjs'), String(server.port), attack]);
  await waitForLine(attacker, (line) => (line === 'attacking' ? line : undefined));
  const result = await load(server, MODEL_INFER, body, 16);
  attacker.stdin.end();
  return result;
}

const directory = await mkdtemp(join(tmpdir(), 'headrace-bench-'));
let kafka;
try {
  kafka = await embedded.startKafka({ dataDirectory: join(directory, 'kafka') });
  const store = new artifacts.ArtifactStore(join(directory, 'artifacts'));
  const model = join(repository, 'apps', 'inference-gateway', 'test', 'fixtures', 'flight-like.onnx');
  await publishDeployment(kafka.brokers, await store.putBytes(await readFile(model), 'model.onnx'));

  const gateways = {};
  const echoes = {};
  for (const kind of SERVERS) {
    gateways[kind] = await startGateway(kind, kafka.brokers);
    echoes[kind] = await startEcho(kind);
  }
  const one = requestOf(1);
  const batch = requestOf(32);

  console.log(
    `${cpus().length} × ${cpus()[0]?.model ?? 'unknown processor'}, ${Math.round(totalmem() / 2 ** 30)} GiB, Node ${process.version}; ` +
      (canPin ? 'server on core 0, load on core 1' : 'not pinned: taskset or a second core is missing'),
  );
  print([
    ['', -28],
    ['in flight', 9],
    ['requests/s', 12],
    ['predictions/s', 15],
    ['p50 µs', 9],
    ['p99 µs', 9],
    ['CPU µs', 9],
    ['1e6/CPU µs', 12],
  ]);
  for (const inFlight of [1, 16, 64]) {
    for (const kind of SERVERS)
      printResult(`bare echo, ${kind}`, inFlight, await load(echoes[kind], '/bench.Echo/Echo', one, inFlight));
    for (const kind of SERVERS) {
      const result = await load(gateways[kind], MODEL_INFER, one, inFlight);
      checkAnswer(result.example, 1);
      printResult(`ModelInfer, ${kind}`, inFlight, result);
    }
  }
  for (const kind of SERVERS) {
    const result = await load(gateways[kind], MODEL_INFER, batch, 16);
    checkAnswer(result.example, 32);
    printResult(`ModelInfer of 32, ${kind}`, 16, result, 32);
  }
  console.log(
    'CPU µs: processor time of the server for a request; on a busy machine 1,000,000 ÷ it is the better figure.\n',
  );

  console.log('16 honest calls in flight beside hostile clients: p99 µs (as many times that of the quiet server)');
  for (const kind of SERVERS) {
    const server = gateways[kind];
    const quiet = await load(server, MODEL_INFER, one, 16);
    const cells = [`  ${kind}: quiet ${quiet.p99Micros}`];
    for (const attack of ATTACKS) {
      const { p99Micros } = await underAttack(server, attack, one);
      cells.push(`${attack} ${p99Micros} (${(p99Micros / quiet.p99Micros).toFixed(1)})`);
    }
    console.log(`${cells.join(', ')}; memory at most ${await peakMemory(server.pid)} MiB`);
  }
} finally {
  for (const child of children) child.kill('SIGTERM');
  await kafka?.stop();
  await rm(directory, { recursive: true, force: true });
}
process.exit(0);
