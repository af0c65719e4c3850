// npm run bench -- gateway-unary [--seconds 4]
//
// Unary ModelInfer of the built gateway on one core, one row of 11 features through 100 trees of 31 leaves, with a real
// Kafka behind it; beside it a bare grpc-js echo of the same bytes, measured in turns with it.
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
const here = join(repository, 'bench', 'gateway-unary');
const WARM_UP_MS = 1_500;
const MEASURE_MS = Number(options.seconds) * 1_000;
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

const directory = await mkdtemp(join(tmpdir(), 'headrace-bench-'));
let kafka;
try {
  kafka = await embedded.startKafka({ dataDirectory: join(directory, 'kafka') });
  const store = new artifacts.ArtifactStore(join(directory, 'artifacts'));
  const model = join(repository, 'apps', 'inference-gateway', 'test', 'fixtures', 'flight-like.onnx');
  await publishDeployment(kafka.brokers, await store.putBytes(await readFile(model), 'model.onnx'));

  const httpPort = await embedded.freePort();
  const gateway = start(0, [join(repository, 'apps', 'inference-gateway', 'dist', 'main.js')], {
    NODE_ENV: 'production',
    KAFKA_BROKERS: kafka.brokers,
    HEADRACE_ARTIFACTS: join(directory, 'artifacts'),
    FEATURE_STORE_ADDRESS: '127.0.0.1:1',
    HTTP_PORT: String(httpPort),
    HEADRACE_PARENT_WATCH: '1',
  });
  const gatewayPort = await waitForLine(gateway, (line) => {
    const entry = line.startsWith('{') ? JSON.parse(line) : {};
    return entry.msg === 'gRPC listens' ? entry.port : undefined;
  });
  await ready(httpPort);
  const echo = start(0, [join(here, 'echo-server.mjs')]);
  const echoPort = Number(await waitForLine(echo, (line) => (line === '' ? undefined : line)));

  const features = Float32Array.from({ length: FEATURES }, (_, index) => (index === 3 ? NaN : index * 7.5));
  const body = inference.ModelInferRequest.encode({
    modelName: ENDPOINT,
    modelVersion: '',
    id: '',
    parameters: {},
    inputs: [
      { name: 'features', datatype: 'FP32', shape: [1n, BigInt(FEATURES)], parameters: {}, contents: undefined },
    ],
    outputs: [],
    rawInputContents: [new Uint8Array(features.buffer)],
  }).finish();

  console.log(
    `${cpus().length} × ${cpus()[0]?.model ?? 'unknown processor'}, ${Math.round(totalmem() / 2 ** 30)} GiB, Node ${process.version}; ` +
      (canPin ? 'server on core 0, load on core 1' : 'not pinned: taskset or a second core is missing'),
  );
  console.log('in flight   ModelInfer/s   p50 µs   p99 µs   CPU µs  |   echo/s   p50 µs   p99 µs   CPU µs');
  for (const inFlight of [1, 16, 64]) {
    const infer = await load(
      { port: gatewayPort, pid: gateway.pid },
      '/inference.GRPCInferenceService/ModelInfer',
      body,
      inFlight,
    );
    const answer = inference.ModelInferResponse.decode(Buffer.from(infer.example, 'base64'));
    const probabilities = answer.outputs.findIndex(({ name }) => name === 'probabilities');
    if (answer.rawOutputContents[probabilities]?.byteLength !== 8) throw new Error('the answer holds no probabilities');
    const bare = await load({ port: echoPort, pid: echo.pid }, '/bench.Echo/Echo', body, inFlight);
    const cells = [
      [inFlight, 9],
      [infer.perSecond, 15],
      [infer.p50Micros, 9],
      [infer.p99Micros, 9],
      [infer.cpuMicros.toFixed(0), 9],
      ['|', 3],
      [bare.perSecond, 9],
      [bare.p50Micros, 9],
      [bare.p99Micros, 9],
      [bare.cpuMicros.toFixed(0), 9],
    ];
    console.log(cells.map(([value, width]) => String(value).padStart(width)).join(''));
  }
  console.log(
    'CPU µs: processor time of the server for a request; on a busy machine 1,000,000 ÷ it is the better figure.',
  );
} finally {
  for (const child of children) child.kill('SIGTERM');
  await kafka?.stop();
  await rm(directory, { recursive: true, force: true });
}
process.exit(0);
