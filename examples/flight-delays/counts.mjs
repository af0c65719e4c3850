// What stands on the example's own topics, counted from the topics: records that upstream published, and what became of
// each request of the application. Prints one JSON line.
//
//   node counts.mjs --brokers HOST:PORT --from ISO
import { parseArgs } from 'node:util';
import kafkajs from 'kafkajs';

const { values: options } = parseArgs({ options: { brokers: { type: 'string' }, from: { type: 'string' } } });
const { Kafka, logLevel } = kafkajs;
const kafka = new Kafka({ clientId: 'flights-counts', brokers: options.brokers.split(','), logLevel: logLevel.ERROR });
const admin = kafka.admin();
await admin.connect();

async function readAll(topic, onMessage) {
  const ends = (await admin.fetchTopicOffsets(topic)).filter(({ offset, low }) => Number(offset) > Number(low));
  const left = new Map(ends.map(({ partition, offset }) => [partition, Number(offset)]));
  if (left.size === 0) return;
  const groupId = `flights-counts-${process.pid}-${topic}`;
  const consumer = kafka.consumer({ groupId });
  await consumer.connect();
  await consumer.subscribe({ topic, fromBeginning: true });
  await new Promise((resolve, reject) => {
    consumer
      .run({
        autoCommit: false,
        eachBatch: async ({ batch }) => {
          for (const message of batch.messages) onMessage(message);
          if (Number(batch.lastOffset()) + 1 >= (left.get(batch.partition) ?? 0)) left.delete(batch.partition);
          if (left.size === 0) resolve();
        },
      })
      .catch(reject);
  });
  await consumer.disconnect();
  await admin.deleteGroups([groupId]);
}

async function sizeOf(topic) {
  return (await admin.fetchTopicOffsets(topic)).reduce((sum, { offset }) => sum + Number(offset), 0);
}

const outcomes = new Map();
const latencies = [];
await readAll('flights.decisions', (message) => {
  const decision = JSON.parse(message.value.toString('utf8'));
  // A request that was answered twice (the application restarted in between) is one request.
  if (!outcomes.has(decision.flight)) {
    outcomes.set(decision.flight, decision);
    latencies.push(decision.milliseconds);
  }
});
// Departures that an application can ask about: well-formed, once each.
const askable = new Set();
await readAll('flights.departures', (message) => {
  try {
    const row = JSON.parse(message.value.toString('utf8'));
    if (
      message.headers.ce_id !== undefined &&
      typeof row.flight === 'string' &&
      row.departed >= options.from &&
      /^[A-Z]{3}$/.test(row.origin) &&
      /^[A-Z]{3}$/.test(row.destination) &&
      !Number.isNaN(Date.parse(row.departed))
    ) {
      askable.add(row.flight);
    }
  } catch {
    return; // not JSON: nobody can ask about it
  }
});
const byOutcome = { answered: 0, fallback: 0, failed: 0 };
const failures = [];
for (const decision of outcomes.values()) {
  byOutcome[decision.outcome] += 1;
  if (decision.outcome === 'failed' && failures.length < 10) failures.push(decision);
}
latencies.sort((a, b) => a - b);
const quantile = (q) => latencies[Math.min(latencies.length - 1, Math.floor(q * latencies.length))] ?? 0;
process.stdout.write(
  `${JSON.stringify({
    published: { departures: await sizeOf('flights.departures'), arrivals: await sizeOf('flights.arrivals') },
    askable: askable.size,
    asked: outcomes.size,
    ...byOutcome,
    failures,
    latencyMilliseconds: { p50: quantile(0.5), p99: quantile(0.99) },
  })}\n`,
);
await admin.disconnect();
process.exit(0);
