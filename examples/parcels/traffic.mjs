// An upstream system and an application in one: publishes parcels as they are sent and delivered, as CloudEvents, and asks
// for each one that is sent whether it will come late. Plain kafkajs and gRPC; it knows nothing of Headrace's code.
//
//   node traffic.mjs --brokers HOST:PORT --proto DIR [--gateway HOST:PORT] [--name parcels] [--from-day 0] [--until-day N]
//                    [--day-seconds S] [--drift none|abrupt|gradual|recurring|label-only] [--change-day N] [--seed 7]
//
// --gateway: ask; without it only publish. --until-day: else until SIGTERM. --day-seconds: wall seconds of a day (else as fast
// as it goes). --name: of endpoint and topics. Prints a JSON line twice a second, and one at the end.
import { setTimeout as delay } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import grpc from '@grpc/grpc-js';
import protoLoader from '@grpc/proto-loader';
import kafkajs from 'kafkajs';
import { makeTopics } from '../flight-delays/topics.mjs';
import { DAY_MS, DRIFTS, eventsOf, timeOfDay } from './world.mjs';

const { values: options } = parseArgs({
  options: {
    brokers: { type: 'string' },
    proto: { type: 'string' },
    gateway: { type: 'string' },
    name: { type: 'string', default: 'parcels' },
    'from-day': { type: 'string', default: '0' },
    'until-day': { type: 'string', default: 'Infinity' },
    'day-seconds': { type: 'string', default: '0' },
    drift: { type: 'string', default: 'none' },
    'change-day': { type: 'string', default: '0' },
    seed: { type: 'string', default: '7' },
  },
});
if (!(options.drift in DRIFTS)) throw new Error(`--drift: expected one of ${Object.keys(DRIFTS).join(', ')}`);
const world = { drift: options.drift, changeDay: Number(options['change-day']), seed: Number(options.seed) };
const dayMs = Number(options['day-seconds']) * 1_000;
const GIVE_UP_MS = 30_000;
const ATTEMPT_MS = 5_000;
const TICK_MS = 50;
const MOST_WAITING = 1_000;
const BATCH = 1_000;
const { Kafka, logLevel, Partitioners } = kafkajs;
const retry = { initialRetryTime: 50, maxRetryTime: 1_000, retries: 1_000 };
const kafka = new Kafka({
  clientId: `${options.name}-traffic`,
  brokers: options.brokers.split(','),
  logLevel: logLevel.NOTHING,
  retry,
});
const producer = kafka.producer({
  idempotent: true,
  maxInFlightRequests: 1,
  createPartitioner: Partitioners.DefaultPartitioner,
  retry,
});
const admin = kafka.admin({ retry });
const definition = protoLoader.loadSync('headrace/inference/v1/inference_service.proto', {
  includeDirs: [options.proto],
  longs: Number,
  defaults: true,
});
const { Inference } = grpc.loadPackageDefinition(definition).headrace.inference.v1;
const client =
  options.gateway &&
  new Inference(options.gateway, grpc.credentials.createInsecure(), {
    'grpc.initial_reconnect_backoff_ms': 100,
    'grpc.max_reconnect_backoff_ms': 500,
  });

let stopping = false;
for (const signal of ['SIGTERM', 'SIGINT']) process.on(signal, () => (stopping = true));
if (process.env.HEADRACE_PARENT_WATCH === '1') process.stdin.on('end', () => (stopping = true)).resume();

const report = { published: 0, eventTime: 0, asked: 0, answered: 0, fallback: 0, failed: 0, firstFailure: undefined };
const tell = () => process.stdout.write(`${JSON.stringify(report)}\n`);

function predict(row) {
  const request = {
    endpoint: options.name,
    entities: { depot: row.depot },
    request: {
      parcel: { stringValue: row.parcel },
      distance: { doubleValue: row.distance },
      weight: { doubleValue: row.weight },
      express: { doubleValue: row.express },
    },
    asOfMicros: Date.parse(row.sent) * 1_000,
    predictionId: `${options.name}-${row.parcel}`,
  };
  return new Promise((resolve, reject) => {
    client.predict(request, { deadline: Date.now() + ATTEMPT_MS }, (error, answer) =>
      error ? reject(error) : resolve(answer),
    );
  });
}

/** Asks again, with the same prediction id, until there is an answer. */
async function ask(row) {
  report.asked += 1;
  const began = Date.now();
  for (;;) {
    try {
      const answer = await predict(row);
      report[answer.fallback ? 'fallback' : 'answered'] += 1;
      return;
    } catch (error) {
      if (Date.now() - began > GIVE_UP_MS || error.code === grpc.status.INVALID_ARGUMENT) {
        report.failed += 1;
        report.firstFailure ??= `${error.code}: ${error.details}`;
        return;
      }
      await delay(100);
    }
  }
}

function messageOf({ stream, time, row }) {
  return {
    key: row.parcel,
    value: JSON.stringify(row),
    headers: {
      ce_specversion: '1.0',
      ce_id: `${stream}-${row.parcel}`,
      ce_source: '/parcel-service',
      ce_type: `com.example.parcel.${stream}`,
      ce_time: new Date(time).toISOString(),
      'content-type': 'application/json',
    },
  };
}

async function publish(events) {
  const topicMessages = ['sent', 'delivered']
    .map((stream) => ({
      topic: `${options.name}.${stream}`,
      messages: events.filter((event) => event.stream === stream).map(messageOf),
    }))
    .filter(({ messages }) => messages.length > 0);
  if (topicMessages.length > 0) await producer.sendBatch({ acks: -1, topicMessages });
  report.published += events.length;
  report.eventTime = events.at(-1)?.time ?? report.eventTime;
}

await admin.connect();
await producer.connect();
await makeTopics(
  admin,
  ['sent', 'delivered'].map((stream) => ({
    topic: `${options.name}.${stream}`,
    numPartitions: 4,
    replicationFactor: 1,
  })),
);
const telling = setInterval(tell, 500);
const asking = new Set();
const firstDay = Number(options['from-day']);
let begin = Date.now();
for (let day = firstDay; day < Number(options['until-day']) && !stopping; day += 1) {
  const events = eventsOf(day, world);
  let next = 0;
  while (next < events.length && !stopping) {
    // Slower than asked for when answers do not come: upstream waits, as the application does.
    const before = Date.now();
    while (asking.size > MOST_WAITING && !stopping) await delay(TICK_MS);
    begin += Date.now() - before;
    const reached = dayMs === 0 ? Infinity : timeOfDay(firstDay) + ((Date.now() - begin) / dayMs) * DAY_MS;
    const due = [];
    while (next < events.length && events[next].time <= reached && due.length < BATCH) due.push(events[next++]);
    await publish(due);
    if (client)
      for (const { stream, row } of due)
        if (stream === 'sent') {
          const one = ask(row).finally(() => asking.delete(one));
          asking.add(one);
        }
    if (dayMs > 0) await delay(TICK_MS);
  }
}
await Promise.all(asking);
clearInterval(telling);
tell();
await producer.disconnect();
await admin.disconnect();
client?.close();
process.exit(0);
