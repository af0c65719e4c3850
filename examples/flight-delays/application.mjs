// An application: for each departure it asks Headrace, as of that moment, whether the flight will arrive late, and keeps
// a record of every answer on its own topic. It has the departures from the same upstream topic as everybody.
//
//   node application.mjs --brokers HOST:PORT --gateway HOST:PORT --proto DIR --endpoint NAME --from ISO [--concurrency 64]
//
// A request is tried again, with the same prediction id, until it has an answer or 60 s have passed; then it has failed.
import { setTimeout as delay } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import grpc from '@grpc/grpc-js';
import protoLoader from '@grpc/proto-loader';
import kafkajs from 'kafkajs';
import { makeTopics } from './topics.mjs';

const { values: options } = parseArgs({
  options: {
    brokers: { type: 'string' },
    gateway: { type: 'string' },
    proto: { type: 'string' },
    endpoint: { type: 'string' },
    from: { type: 'string' },
    group: { type: 'string', default: 'flights-application' },
    concurrency: { type: 'string', default: '64' },
  },
});
const GIVE_UP_MS = 60_000;
const ATTEMPT_MS = 5_000;
const DECISIONS = 'flights.decisions';
const { Kafka, logLevel, Partitioners } = kafkajs;
const retry = { initialRetryTime: 50, maxRetryTime: 1_000, retries: 1_000 };
const kafka = new Kafka({
  clientId: 'flights-application',
  brokers: options.brokers.split(','),
  logLevel: logLevel.ERROR,
  retry,
});
const consumer = kafka.consumer({ groupId: options.group, sessionTimeout: 10_000, retry });
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
const client = new Inference(options.gateway, grpc.credentials.createInsecure(), {
  'grpc.initial_reconnect_backoff_ms': 100,
  'grpc.max_reconnect_backoff_ms': 500,
});

let stopping = false;
const stop = () => (stopping = true);
process.on('SIGTERM', stop);
process.on('SIGINT', stop);
if (process.env.HEADRACE_PARENT_WATCH === '1') process.stdin.on('end', stop).resume();

function ask(row) {
  const request = {
    endpoint: options.endpoint,
    entities: { origin: row.origin, destination: row.destination },
    request: {
      flight: { stringValue: row.flight },
      distance: { doubleValue: row.distance },
      local_hour: { doubleValue: row.local_hour },
    },
    asOfMicros: Date.parse(row.departed) * 1_000,
    predictionId: `flight-${row.flight}`,
  };
  return new Promise((resolve, reject) => {
    client.predict(request, { deadline: Date.now() + ATTEMPT_MS }, (error, answer) =>
      error ? reject(error) : resolve(answer),
    );
  });
}

async function decide(row) {
  const asked = Date.now();
  let attempts = 0;
  let fault = '';
  while (Date.now() - asked < GIVE_UP_MS) {
    attempts += 1;
    try {
      const answer = await ask(row);
      return {
        flight: row.flight,
        outcome: answer.fallback ? 'fallback' : 'answered',
        reason: answer.fallbackReason,
        version: answer.version,
        output: answer.output,
        attempts,
        asked,
        milliseconds: Date.now() - asked,
      };
    } catch (error) {
      fault = `${error.code}: ${error.details}`;
      if (error.code === grpc.status.INVALID_ARGUMENT || error.code === grpc.status.NOT_FOUND) break;
      await delay(Math.min(50 * 2 ** Math.min(attempts, 5), 1_000));
    }
  }
  return { flight: row.flight, outcome: 'failed', reason: fault, attempts, asked, milliseconds: Date.now() - asked };
}

/** A departure that the application can use; what it cannot read is not its business. */
function rowOf(message) {
  try {
    const row = JSON.parse(message.value.toString('utf8'));
    const usable =
      message.headers.ce_id !== undefined &&
      typeof row.flight === 'string' &&
      /^[A-Z]{3}$/.test(row.origin) &&
      /^[A-Z]{3}$/.test(row.destination) &&
      !Number.isNaN(Date.parse(row.departed));
    return usable ? row : undefined;
  } catch {
    return undefined;
  }
}

await admin.connect();
await makeTopics(admin, [{ topic: DECISIONS, numPartitions: 1, replicationFactor: 1 }]);
await admin.disconnect();
await producer.connect();
await consumer.connect();
await consumer.subscribe({ topic: 'flights.departures', fromBeginning: true });
const concurrency = Number(options.concurrency);
let running = 0;
const free = [];
const slot = () => (running < concurrency ? Promise.resolve() : new Promise((resolve) => free.push(resolve)));
await consumer.run({
  partitionsConsumedConcurrently: 4,
  eachBatchAutoResolve: false,
  eachBatch: async ({ batch, resolveOffset, heartbeat, commitOffsetsIfNecessary, isRunning, isStale }) => {
    for (let start = 0; start < batch.messages.length; start += 200) {
      if (!isRunning() || isStale() || stopping) return;
      const part = batch.messages.slice(start, start + 200);
      const decisions = [];
      for (const message of part) {
        const row = rowOf(message);
        if (!row || row.departed < options.from) continue;
        await slot();
        running += 1;
        decisions.push(
          decide(row).finally(() => {
            running -= 1;
            free.shift()?.();
          }),
        );
      }
      const answers = await Promise.all(decisions);
      if (answers.length > 0) {
        await producer.send({
          topic: DECISIONS,
          acks: -1,
          messages: answers.map((answer) => ({ key: answer.flight, value: JSON.stringify(answer) })),
        });
      }
      resolveOffset(part.at(-1).offset);
      await commitOffsetsIfNecessary({
        topics: [
          {
            topic: batch.topic,
            partitions: [{ partition: batch.partition, offset: String(Number(part.at(-1).offset) + 1) }],
          },
        ],
      });
      await heartbeat();
    }
  },
});
while (!stopping) await delay(100);
await consumer.disconnect();
await producer.disconnect();
client.close();
process.exit(0);
