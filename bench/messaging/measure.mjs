// The three measurements: events a second, latency end to end, memory over many events.
import { setTimeout as sleep } from 'node:timers/promises';
import { KEYS, NEXT_TOPIC } from './setup.mjs';

const WARM_SHARE = 0.2;
const LATENCY_PER_SECOND = 200;

/**
 * Events a second after the warm-up, once by when the last effect was committed, once by when the last event of the outbox
 * was on the log; and the processor time for one event, of the consumer, of Kafka and of Postgres.
 */
export async function throughput(stage, contender, events, plan = {}) {
  const { progress, databaseUrl, stop } = await stage.begin(contender, plan);
  await stage.until('the warm-up', progress, () => progress.handled >= events * WARM_SHARE);
  const first = { ...progress, at: performance.now(), servers: await stage.serverMicros() };
  if (first.handled >= events) throw new Error(`${contender} was through before it was warm: more --events are needed`);
  await stage.until('the last event', progress, () => progress.handled >= events);
  const handledAt = performance.now();
  if (contender === 'headrace') await stage.outboxEmpty(databaseUrl, progress);
  const publishedAt = performance.now();
  const servers = await stage.serverMicros();
  await sleep(120); // the next report of what the process has used
  const done = progress.handled - first.handled;
  await stop();
  const each = (micros) => Math.round((micros / done) * 10) / 10;
  return {
    perSecond: Math.round((done / (publishedAt - first.at)) * 1000),
    handledPerSecond: Math.round((done / (handledAt - first.at)) * 1000),
    consumerMicros: each(progress.cpuMicros - first.cpuMicros),
    kafkaMicros: each(servers.kafka - first.servers.kafka),
    postgresMicros: each(servers.postgres - first.servers.postgres),
  };
}

/**
 * Produced → effect → next event consumed, milliseconds, at 200 events a second; and how long the event took until it was in
 * its handler, from there until the next event was sent, and from there until that one was consumed (clock of whole ms).
 */
export async function latency(stage, seconds, plan = {}) {
  const { publisher } = stage;
  const { stop, progress, group } = await stage.begin('headrace', plan);
  const before = publisher.sequence;
  await stage.until('what lies before', progress, () => progress.handled >= before);
  const consumer = stage.client.consumer({ groupId: `${group}-next` });
  const sent = new Map();
  const taken = [];
  await consumer.connect();
  await consumer.subscribe({ topics: [NEXT_TOPIC], fromBeginning: false });
  await consumer.run({
    autoCommit: false,
    eachBatch: async ({ batch }) => {
      const now = performance.timeOrigin + performance.now();
      for (const { headers, timestamp } of batch.messages) {
        const at = sent.get(String(headers.ce_causationid));
        if (at === undefined) continue;
        const handled = Date.parse(String(headers.ce_time));
        taken.push([now - at, handled - at, Number(timestamp) - handled, now - Number(timestamp)]);
      }
    },
  });
  // One request at a time, with what is due by then: the numbers of a producer must rise on the log.
  let due = [];
  let writing = Promise.resolve();
  const write = async () => {
    const records = due;
    due = [];
    if (records.length > 0) await publisher.write(records);
  };
  const one = () => {
    const record = publisher.record({ key: `k${publisher.sequence % KEYS}` });
    sent.set(record.id, performance.timeOrigin + performance.now());
    due.push(record);
    writing = writing.then(write);
    return writing;
  };
  await stage.until(
    'the first event comes back',
    progress,
    async () => {
      await one();
      return taken.length > 0;
    },
    { pollMs: 100, timeoutMs: 60_000 },
  );
  await sleep(1_000);
  sent.clear();
  taken.length = 0;
  const total = seconds * LATENCY_PER_SECOND;
  const began = performance.now();
  for (let number = 0; number < total; number += 1) {
    const wait = began + (number * 1000) / LATENCY_PER_SECOND - performance.now();
    if (wait > 1) await sleep(wait);
    void one();
  }
  await writing;
  await stage.until('all come back', progress, () => taken.length >= total, { timeoutMs: 60_000 });
  await consumer.disconnect();
  await stop();
  const leg = (index) => {
    const sorted = taken.map((times) => times[index]).sort((a, b) => a - b);
    const share = (part) => Math.round(sorted[Math.min(total - 1, Math.floor(total * part))] * 10) / 10;
    return { p50Ms: share(0.5), p99Ms: share(0.99), mostMs: share(1) };
  };
  const legs = { 'to the handler': leg(1), 'until the next event is sent': leg(2), 'until it is consumed': leg(3) };
  return { perSecond: LATENCY_PER_SECOND, events: total, ...leg(0), legs };
}

/**
 * Most memory of the consumer in each tenth of the events, MiB; each tenth is told when it is over. Events are published while
 * they are consumed.
 */
export async function memory(stage, events, onTenth) {
  const before = stage.publisher.sequence;
  const { progress, stop, databaseUrl } = await stage.begin('headrace');
  const tenths = Array.from({ length: 10 }, () => ({ rssMiB: 0, heapMiB: 0, buffersMiB: 0 }));
  const began = performance.now();
  const filling = fillAhead(stage, progress, before + events);
  let told = 0;
  await stage.until(
    'the last event',
    progress,
    () => {
      const done = Math.max(0, progress.handled - before) / events;
      for (; told < Math.min(10, Math.floor(done * 10)); told += 1) onTenth(told + 1, tenths[told]);
      const tenth = tenths[Math.min(9, Math.floor(done * 10))];
      const most = (name, bytes = 0) => (tenth[name] = Math.max(tenth[name], Math.round(bytes / 2 ** 20)));
      most('rssMiB', progress.rss);
      most('heapMiB', progress.heapUsed);
      most('buffersMiB', progress.arrayBuffers);
      return progress.handled >= before + events;
    },
    { pollMs: 50, timeoutMs: 7_200_000 },
  );
  await filling;
  await stage.outboxEmpty(databaseUrl, progress);
  await stop();
  return { events, seconds: Math.round((performance.now() - began) / 1000), tenths };
}

/** Publishes, but not further ahead than the disk should hold for long. */
async function fillAhead(stage, progress, events) {
  const AHEAD = 200_000;
  while (stage.publisher.sequence < events && progress.exit === undefined && !stage.interrupted) {
    if (stage.publisher.sequence - progress.handled > AHEAD) await sleep(20);
    else await stage.fill(Math.min(events, stage.publisher.sequence + 5_000));
  }
}
