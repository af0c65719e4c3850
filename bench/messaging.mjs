// npm run bench -- messaging [--events 150000] [--rounds 3] [--latency-seconds 20] [--memory-events 0] [--profile]
//
// Events a second through the whole consumer path of libs/messaging (decode, position, repeats, a handler that updates one
// row by key, one outbox event, which its relay publishes meanwhile) on one core. In turns with it: bare kafkajs, which does
// the same upsert without position and outbox; the same, sending the next event too; Nest's own Kafka transport with one
// transaction an event. Then the latency from a produced event to the next event consumed, then (with
// --memory-events 5000000) memory over many events.
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { latency, memory, throughput } from './messaging/measure.mjs';
import { Stage } from './messaging/stage.mjs';

const { values: options } = parseArgs({
  options: {
    events: { type: 'string', default: '150000' },
    rounds: { type: 'string', default: '3' },
    'latency-seconds': { type: 'string', default: '20' },
    'memory-events': { type: 'string', default: '0' },
    profile: { type: 'boolean', default: false },
  },
});
for (const name of ['events', 'rounds', 'latency-seconds', 'memory-events']) {
  if (!/^\d+$/.test(options[name])) throw new Error(`--${name}: a whole number, not ${options[name]}`);
}
const EVENTS = Number(options.events);
const CONTENDERS = {
  headrace: { program: 'headrace', share: 1 },
  bare: { program: 'bare', share: 1 },
  'bare, sending': { program: 'bare', share: 1, plan: { sends: true } },
  // It takes one event at a time, and gets as many as keep it busy for about as long.
  nest: { program: 'nest', share: 1 / 20 },
};
const COLUMNS = ['perSecond', 'handledPerSecond', 'consumerMicros', 'kafkaMicros', 'postgresMicros'];
const HEADINGS = ['published/s', 'handled/s', 'consumer µs', 'Kafka µs', 'Postgres µs'];

const median = (values) => [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)];
const round = (value, digits) => Math.round(value * 10 ** digits) / 10 ** digits;
const folder = join(fileURLToPath(new URL('..', import.meta.url)), '.headrace', 'bench');
const line = (name, cells) => console.log(name.padEnd(16) + cells.map((cell) => String(cell).padStart(13)).join(''));

async function compare(stage) {
  const contenders = Object.keys(CONTENDERS);
  const rounds = Object.fromEntries(contenders.map((contender) => [contender, []]));
  line('', HEADINGS);
  for (let number = 0; number < Number(options.rounds); number += 1) {
    for (const contender of contenders) {
      const { program, share, plan } = CONTENDERS[contender];
      const result = await throughput(stage, program, Math.ceil(EVENTS * share), plan);
      rounds[contender].push(result);
      line(
        contender,
        COLUMNS.map((column) => result[column]),
      );
    }
  }
  const medians = Object.fromEntries(
    contenders.map((contender) => [
      contender,
      Object.fromEntries(COLUMNS.map((column) => [column, median(rounds[contender].map((each) => each[column]))])),
    ]),
  );
  const { headrace, bare, nest, 'bare, sending': sending } = medians;
  const ofBare = round(headrace.perSecond / bare.perSecond, 2);
  const ofSending = round(headrace.perSecond / sending.perSecond, 2);
  const timesNest = round(headrace.perSecond / nest.perSecond, 1);
  console.log(
    `Median: ${headrace.perSecond} events/s; ${ofBare} of bare kafkajs, ${ofSending} of bare kafkajs that sends the next event, ` +
      `${timesNest} × Nest's transport.`,
  );
  console.log(
    'published/s: until the outbox is empty (the others have none); µs: processor time for one event. "bare" publishes nothing; "bare,\n' +
      'sending" sends the next event with plain kafkajs, without exactly-once effects; Nest\'s writes an outbox row that nobody sends.',
  );
  return { events: EVENTS, rounds, medians, ofBare, ofSending, timesNest };
}

const stage = new Stage(options.profile ? join(folder, 'profiles') : undefined);
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.on(signal, () => (stage.interrupted = true));
try {
  await stage.start();
  console.log(stage.machine);
  await stage.fill(EVENTS);
  const report = { machine: stage.machine };
  if (Number(options.rounds) > 0) report.throughput = await compare(stage);
  if (Number(options['latency-seconds']) > 0) {
    const found = await latency(stage, Number(options['latency-seconds']));
    report.latency = found;
    console.log(
      `Produced → effect → next event consumed, ${found.perSecond}/s for ${options['latency-seconds']} s: ` +
        `p50 ${found.p50Ms} ms, p99 ${found.p99Ms} ms, most ${found.mostMs} ms.`,
    );
    for (const [name, leg] of Object.entries(found.legs)) {
      console.log(`  ${name}: p50 ${leg.p50Ms} ms, p99 ${leg.p99Ms} ms, most ${leg.mostMs} ms`);
    }
  }
  if (Number(options['memory-events']) > 0) {
    console.log(`Memory over ${options['memory-events']} events, most in each tenth of them, MiB:`);
    line('', ['resident', 'heap', 'buffers']);
    const found = await memory(stage, Number(options['memory-events']), (tenth, { rssMiB, heapMiB, buffersMiB }) =>
      line(`  tenth ${tenth}`, [rssMiB, heapMiB, buffersMiB]),
    );
    report.memory = found;
    console.log(`In ${found.seconds} s.`);
  }
  await mkdir(folder, { recursive: true });
  await writeFile(join(folder, 'messaging.json'), `${JSON.stringify(report, undefined, 2)}\n`);
} catch (error) {
  process.exitCode = stage.interrupted ? 130 : 1;
  if (!stage.interrupted) console.error(error);
} finally {
  await stage.stop();
}
process.exit();
