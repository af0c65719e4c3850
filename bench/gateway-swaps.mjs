// npm run bench -- gateway-swaps [--changes 200] [--per-second 500]
//
// Versions change under load: how many requests fail because of it, and how many are answered by a version that had been
// replaced before they were sent. Versions take turns between two models that answer differently, so an answer shows who gave
// it. Then the gateway itself is killed under Predict: callers ask again with the same prediction id.
import { status } from '@grpc/grpc-js';
import { parseArgs } from 'node:util';
import { readFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import contracts from '@headrace/contracts';
import inference from '@headrace/contracts/inference';
import predict from '@headrace/contracts/proto/inference/v1/inference_service';
import grpc from '@headrace/grpc';
import messaging from '@headrace/messaging';
import { machine, stopAll } from './gateway/processes.mjs';
import { AIRPORTS, FEATURES, MODEL, World } from './gateway/world.mjs';

const { values: options } = parseArgs({
  options: { changes: { type: 'string', default: '200' }, 'per-second': { type: 'string', default: '500' } },
});
const CHANGES = Number(options.changes);
const PER_SECOND = Number(options['per-second']);
const KILLS = 3;
const MOST_OPEN = 5_000;
const LONGEST_BACKOFF_MS = 1_000;

const tensorRequest = (modelName) =>
  inference.ModelInferRequest.fromPartial({
    modelName,
    inputs: [{ name: 'features', datatype: 'FP32', shape: [1n, BigInt(FEATURES)] }],
    rawInputContents: [new Uint8Array(Float32Array.from({ length: FEATURES }, (_, index) => index * 7.5).buffer)],
  });

function scoreOf({ outputs, rawOutputContents }) {
  const raw = rawOutputContents[outputs.findIndex(({ name }) => name === 'probabilities')];
  return new Float32Array(Uint8Array.from(raw).buffer)[1].toFixed(6);
}

/**
 * Calls `ask` so often until `work` has ended, whatever becomes of the calls; resolves to how many were made a second when the
 * last has ended. A machine that cannot make as many makes fewer: more than `MOST_OPEN` never wait.
 */
async function under(ask, work) {
  const open = new Set();
  const from = performance.now();
  let [due, asked] = [0, 0];
  let last = from;
  const timer = setInterval(() => {
    const now = performance.now();
    for (due += ((now - last) / 1_000) * PER_SECOND; due >= 1; due -= 1) {
      if (open.size >= MOST_OPEN) continue;
      const call = ask().finally(() => open.delete(call));
      open.add(call);
      asked += 1;
    }
    last = now;
  }, 2);
  try {
    await work();
  } finally {
    clearInterval(timer);
  }
  const perSecond = Math.round(asked / ((performance.now() - from) / 1_000));
  await Promise.all(open);
  return perSecond;
}

async function changeVersions(world, gateway, endpoint) {
  const request = tensorRequest(endpoint);
  const client = grpc.createClient(inference.GRPCInferenceServiceClient, { address: `127.0.0.1:${gateway.port}` });
  const infer = () => grpc.unary(client.modelInfer.bind(client), request, { timeoutMs: 10_000 });
  let active = 0;
  let heard = () => undefined;
  const reports = await world.voice
    .get(messaging.LOG_READER)
    .broadcast(contracts.topics.inference.name, ({ type, data }) => {
      if (type !== contracts.events.DeploymentActivated.type || data.endpoint !== endpoint) return;
      active = Math.max(active, data.generation);
      heard();
    });
  await reports.caughtUp;
  const other = await readFile(join(dirname(MODEL), 'flight-like-small.onnx'));
  const models = [world.artifact, await world.store.putBytes(other, 'model.onnx')];
  const change = async (generation) => {
    const version = { version: generation, role: 1, weightPercent: 100, artifact: models[generation % 2] };
    await world.deploy(endpoint, { generation, versions: [version] });
    while (active < generation) await new Promise((resolve) => (heard = resolve));
  };
  await change(1);
  const scores = [undefined, scoreOf(await infer())];
  await change(2);
  scores[0] = scoreOf(await infer());
  if (scores[0] === scores[1]) throw new Error('the two models answer alike');

  const tally = { answered: 0, failed: new Map(), outdated: 0, wrongScore: 0 };
  const ask = async () => {
    const atLeast = active;
    try {
      const answer = await infer();
      tally.answered += 1;
      const version = Number(answer.modelVersion);
      if (version < atLeast) tally.outdated += 1;
      if (scoreOf(answer) !== scores[version % 2]) tally.wrongScore += 1;
    } catch (error) {
      const why = `${status[error.code]}: ${error.details}`;
      tally.failed.set(why, (tally.failed.get(why) ?? 0) + 1);
    }
  };
  const from = performance.now();
  const perSecond = await under(ask, async () => {
    for (let generation = 3; generation < 3 + CHANGES; generation += 1) await change(generation);
  });
  const seconds = (performance.now() - from) / 1_000;
  await reports.close();
  client.close();
  const failed = [...tally.failed.values()].reduce((sum, count) => sum + count, 0);
  console.log(
    `${CHANGES} changes in ${seconds.toFixed(1)} s at ${perSecond} requests/s: ${tally.answered} answered, ${failed} failed, ` +
      `${tally.outdated} by a version that had been replaced, ${tally.wrongScore} with the score of another version`,
  );
  for (const [why, count] of tally.failed) console.log(`  ${count} × ${why}`);
  return failed + tally.outdated + tally.wrongScore === 0;
}

/** The gateway dies and comes back on the same port; callers ask until they are answered. */
async function killGateway(world, kind) {
  const GRPC_PORT = String(await world.freePort());
  const environment = { GRPC_PORT, GATEWAY_CACHE: join(world.directory, 'gateway-cache') };
  let gateway = await world.startGateway(kind, environment);
  const client = grpc.createClient(predict.InferenceClient, { address: `127.0.0.1:${GRPC_PORT}` });
  const [answers, repeats] = [new Map(), { count: 0 }];
  let asked = 0;
  const ask = async () => {
    const predictionId = `kill-${(asked += 1)}`;
    const origin = AIRPORTS[asked % AIRPORTS.length];
    const request = predict.PredictRequest.fromPartial({ endpoint: 'one-view', entities: { origin }, predictionId });
    for (let backoffMs = 100; ; backoffMs = Math.min(2 * backoffMs, LONGEST_BACKOFF_MS)) {
      try {
        const answer = await grpc.unary(client.predict.bind(client), request, { timeoutMs: 2_000 });
        if (answer.predictionId !== predictionId) throw new Error('an answer with another id');
        answers.set(predictionId, (answers.get(predictionId) ?? 0) + 1);
        return;
      } catch (error) {
        if (error.code === undefined) throw error;
        repeats.count += 1;
        await new Promise((done) => setTimeout(done, backoffMs * (0.5 + Math.random())));
      }
    }
  };
  const perSecond = await under(ask, async () => {
    for (let kill = 0; kill < KILLS; kill += 1) {
      await new Promise((done) => setTimeout(done, 2_000));
      gateway.child.kill('SIGKILL');
      await new Promise((done) => gateway.child.once('exit', done));
      gateway = await world.startGateway(kind, environment);
    }
    await new Promise((done) => setTimeout(done, 1_000));
  });
  client.close();
  // It hands over what it has buffered.
  gateway.child.kill('SIGTERM');
  await new Promise((done) => gateway.child.once('exit', done));

  const onLog = new Map();
  const reader = world.voice.get(messaging.LOG_READER);
  const topic = contracts.topics.predictions.name;
  const ranges = new Map([...(await reader.endOffsets(topic))].map(([partition, to]) => [partition, { from: 0, to }]));
  await reader.readRange(topic, ranges, (batch) => {
    for (const { type, eventId, data } of batch) {
      if (type !== contracts.events.PredictionServed.type || !data.predictionId.startsWith('kill-')) continue;
      if (eventId !== data.predictionId) throw new Error('an event that is not known by its prediction');
      onLog.set(data.predictionId, (onLog.get(data.predictionId) ?? 0) + 1);
    }
  });
  const twice = [...answers.values()].filter((count) => count > 1).length;
  const missing = [...answers.keys()].filter((id) => !onLog.has(id)).length;
  const repeated = [...onLog.values()].filter((count) => count > 1).length;
  console.log(
    `${KILLS} kills of the gateway (${kind}) under ${perSecond} Predict/s: ${asked} asked, ${answers.size} answered, ${twice} answered twice, ` +
      `${repeats.count} asked again; on the log ${onLog.size} ids, ${repeated} of them repeated under one event id, ` +
      `${missing} answered in the last moment before a kill and not logged`,
  );
  return answers.size === asked && twice === 0;
}

console.log(machine());
const world = await World.start();
let good = true;
try {
  await world.deploy('one-view', { views: 1 });
  for (const kind of ['standard', 'fast']) {
    const gateway = await world.startGateway(kind);
    console.log(`${kind}:`);
    good = (await changeVersions(world, gateway, `endpoint-of-${kind}`)) && good;
    gateway.child.kill('SIGTERM');
    await new Promise((done) => gateway.child.once('exit', done));
  }
  await world.startFeatureStore();
  good = (await killGateway(world, 'standard')) && good;
} finally {
  await stopAll();
  await world.stop();
}
process.exit(good ? 0 : 1);
