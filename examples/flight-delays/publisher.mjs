// An upstream system: publishes departures and arrivals in time order as CloudEvents, faster than life. Plain kafkajs;
// it knows nothing of Headrace's code.
//
//   node publisher.mjs --brokers HOST:PORT --data DIR [--from ISO] [--until ISO] [--seconds N] [--behind GROUP:LAG]
//                      [--shift 1] [--faults 1] [--progress FILE]
//
// --seconds: spread the range over so many wall seconds (else as fast as the broker takes it).
// --behind: wait while the consumer group (the application) is more than LAG records behind.
// --shift: add the delay of meta.json's `shift` to the flights that it names (stated by whoever runs it).
// --faults: mix in repeats of event ids and malformed records of several kinds; what was added is counted in the report.
import { createReadStream } from 'node:fs';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { parseArgs } from 'node:util';
import kafkajs from 'kafkajs';
import { makeTopics } from './topics.mjs';

const { values: options } = parseArgs({
  options: {
    brokers: { type: 'string' },
    data: { type: 'string' },
    from: { type: 'string', default: '0000' },
    until: { type: 'string', default: '9999' },
    seconds: { type: 'string' },
    behind: { type: 'string' },
    shift: { type: 'string' },
    faults: { type: 'string' },
    progress: { type: 'string' },
  },
});
const { Kafka, logLevel, Partitioners, CompressionTypes } = kafkajs;
const retry = { initialRetryTime: 50, maxRetryTime: 1_000, retries: 1_000 };
const kafka = new Kafka({
  clientId: 'flights-publisher',
  brokers: options.brokers.split(','),
  logLevel: logLevel.ERROR,
  retry,
});
const producer = kafka.producer({
  idempotent: true,
  maxInFlightRequests: 1,
  createPartitioner: Partitioners.DefaultPartitioner,
  retry,
});
const admin = kafka.admin({ retry });
const meta = JSON.parse(await readFile(join(options.data, 'meta.json'), 'utf8'));
const shift = options.shift === '1' ? meta.shift : undefined;

const BATCH = 1_000;
/** What became due within a tick goes out together. */
const TICK_MS = 100;
const FAULT_EVERY = 400;
let stopping = false;
process.on('SIGTERM', () => (stopping = true));
process.on('SIGINT', () => (stopping = true));
if (process.env.HEADRACE_PARENT_WATCH === '1') process.stdin.on('end', () => (stopping = true)).resume();

const report = {
  published: 0,
  departures: 0,
  arrivals: 0,
  repeats: 0,
  malformed: {},
  firstAt: undefined,
  lastAt: undefined,
};

async function* linesOf(file) {
  for await (const line of createInterface({ input: createReadStream(file), crlfDelay: Infinity }))
    if (line !== '') yield JSON.parse(line);
}

/** Both streams merged by time; at one moment arrivals first, as they are what a departure may know. */
async function* merged() {
  const arrivals = linesOf(join(options.data, 'arrivals.ndjson'));
  const departures = linesOf(join(options.data, 'departures.ndjson'));
  let arrival = (await arrivals.next()).value;
  let departure = (await departures.next()).value;
  while (arrival || departure) {
    if (arrival && (!departure || arrival.landed <= departure.date)) {
      yield { topic: 'flights.arrivals', time: arrival.landed, row: arrivalOf(arrival) };
      arrival = (await arrivals.next()).value;
    } else {
      yield { topic: 'flights.departures', time: departure.date, row: departureOf(departure) };
      departure = (await departures.next()).value;
    }
  }
}

function departureOf({ flight, date, origin, destination, distance, local_hour }) {
  return { flight, departed: date, origin, destination, distance, local_hour };
}

function arrivalOf({ flight, landed, origin, destination, distance, delay }) {
  const moved =
    shift && landed >= shift.fromLanded && distance < shift.shorterThanMiles
      ? Math.min(delay + shift.minutes, 300)
      : delay;
  return { flight, landed, origin, destination, delay: moved };
}

function messageOf({ topic, time, row }) {
  const kind = topic === 'flights.arrivals' ? 'arrival' : 'departure';
  return {
    key: row.flight,
    value: JSON.stringify(row),
    headers: {
      ce_specversion: '1.0',
      ce_id: `${kind}-${row.flight}`,
      ce_source: '/airport-operations',
      ce_type: `com.example.flight.${kind}`,
      ce_time: time,
      'content-type': 'application/json',
    },
  };
}

/** Malformed in turn: each names what a contract has to catch. */
const faults = {
  not_json: (message) => ({ ...message, value: `{"flight": ${message.key}, ` }),
  missing_field: (message) => ({
    ...message,
    value: JSON.stringify({ ...JSON.parse(message.value), origin: undefined }),
  }),
  wrong_type: (message) => ({ ...message, value: JSON.stringify({ ...JSON.parse(message.value), flight: 7.5 }) }),
  unknown_airport: (message) => ({
    ...message,
    value: JSON.stringify({ ...JSON.parse(message.value), destination: 'nowhere' }),
  }),
  bad_time: (message) => {
    const row = JSON.parse(message.value);
    return {
      ...message,
      value: JSON.stringify('landed' in row ? { ...row, landed: 'soon' } : { ...row, departed: '31.02.2001' }),
    };
  },
  no_envelope: (message) => ({ ...message, headers: {} }),
};
const faultNames = Object.keys(faults);

let batch = { 'flights.departures': [], 'flights.arrivals': [] };
let waiting = 0;

async function flush() {
  if (waiting === 0) return;
  const topicMessages = Object.entries(batch)
    .filter(([, messages]) => messages.length > 0)
    .map(([topic, messages]) => ({ topic, messages }));
  batch = { 'flights.departures': [], 'flights.arrivals': [] };
  waiting = 0;
  await producer.sendBatch({ acks: -1, compression: CompressionTypes.None, topicMessages });
  report.published += topicMessages.reduce((sum, { messages }) => sum + messages.length, 0);
}

function add(topic, message) {
  batch[topic].push(message);
  waiting += 1;
}

async function lagOf(group) {
  const [ends, offsets] = await Promise.all([
    admin.fetchTopicOffsets('flights.departures'),
    admin.fetchOffsets({ groupId: group, topics: ['flights.departures'] }),
  ]);
  const at = new Map(
    (offsets[0]?.partitions ?? []).map(({ partition, offset }) => [partition, Math.max(0, Number(offset))]),
  );
  return ends.reduce((sum, { partition, offset }) => sum + Number(offset) - (at.get(partition) ?? 0), 0);
}

await admin.connect();
await producer.connect();
const topics = ['flights.departures', 'flights.arrivals'].map((topic) => ({
  topic,
  numPartitions: 4,
  replicationFactor: 1,
}));
await makeTopics(admin, topics);

const [group, lagText] = options.behind?.split(':') ?? [];
let begin;
let firstTime;
let span;
let count = 0;
let nextLagCheck = 0;
for await (const event of merged()) {
  if (stopping || event.time >= options.until) break;
  if (event.time < options.from) continue;
  const time = Date.parse(event.time);
  firstTime ??= time;
  begin ??= Date.now();
  span ??= Math.min(Date.parse(options.until) || Infinity, Date.parse(meta.lastLanding)) - firstTime;
  if (options.seconds !== undefined) {
    const due = begin + ((time - firstTime) / span) * Number(options.seconds) * 1_000;
    if (due > Date.now()) {
      await flush();
      while (!stopping && due > Date.now()) await new Promise((resolve) => setTimeout(resolve, TICK_MS));
    }
    if (group !== undefined && Date.now() > nextLagCheck) {
      await flush();
      const before = Date.now();
      while (!stopping && (await lagOf(group)) > Number(lagText))
        await new Promise((resolve) => setTimeout(resolve, 50));
      begin += Date.now() - before;
      nextLagCheck = Date.now() + 500;
    }
  }
  const message = messageOf(event);
  add(event.topic, message);
  report[event.topic === 'flights.arrivals' ? 'arrivals' : 'departures'] += 1;
  report.firstAt ??= event.time;
  report.lastAt = event.time;
  count += 1;
  if (options.faults === '1' && count % FAULT_EVERY === 0) {
    const turn = (count / FAULT_EVERY) % (faultNames.length + 2);
    if (turn < 2) {
      add(event.topic, message); // the same event id again
      report.repeats += 1;
    } else {
      const name = faultNames[turn - 2];
      // An id of its own: a malformed record is another event, not a repeat of the good one.
      const own = { ...message, headers: { ...message.headers, ce_id: `${message.headers.ce_id}-malformed` } };
      add(event.topic, faults[name](own));
      report.malformed[name] = (report.malformed[name] ?? 0) + 1;
    }
  }
  if (waiting >= BATCH) await flush();
}
await flush();
await producer.disconnect();
await admin.disconnect();
if (options.progress) await writeFile(options.progress, JSON.stringify(report, null, 2));
process.stdout.write(`${JSON.stringify(report)}\n`);
process.exit(0);
