// Predictions through the whole of monitoring, from the log to judged windows, with a backlog: how many a second.
import { mkdir, readdir, readFile } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import { cpuMicros, memory, stopAll } from '../gateway/processes.mjs';
import { SteadyWorld } from './steady-world.mjs';

const FEATURES = 20;
const CLOCK_TICK_MICROS = 10_000;
const PATIENCE_MS = 600_000;

export async function steadyState(predictions, perWindow, together, profiles) {
  if (profiles) await mkdir(profiles, { recursive: true });
  let world;
  try {
    world = await SteadyWorld.start(FEATURES);
    await world.define(together);
    await world.fill(predictions, perWindow);
    const usedBefore = await familyMicros(world.postgres.pid);
    const child = await world.startMonitoring(profiles);
    const own = async () => ({ at: performance.now(), cpuMicros: await cpuMicros(child.pid) });
    const whole = Math.floor((predictions - 1) / perWindow) * perWindow;
    let [first, last, kept] = [undefined, undefined, undefined];
    for (const deadline = performance.now() + PATIENCE_MS; ; await sleep(20)) {
      if (child.exitCode !== null) throw new Error(`the service ended with exit code ${child.exitCode}`);
      if (performance.now() > deadline) throw new Error('the service did not come to the end of the log');
      kept = await world.progress();
      if (first === undefined && kept.handled > 0) first = { handled: kept.handled, ...(await own()) };
      last = await own();
      if (kept.handled >= predictions && kept.judged >= whole) break;
    }
    const handled = predictions - first.handled;
    const seconds = (last.at - first.at) / 1_000;
    return {
      predictions,
      features: FEATURES,
      windows: kept.windows,
      perSecond: Math.round(handled / seconds),
      serviceMicros: (last.cpuMicros - first.cpuMicros) / handled,
      perSecondOfProcessor: Math.round((handled / (last.cpuMicros - first.cpuMicros)) * 1e6),
      postgresMicros: ((await familyMicros(world.postgres.pid)) - usedBefore) / predictions,
      peakMiB: (await memory(child.pid)).most,
    };
  } finally {
    await stopAll();
    await world?.stop();
  }
}

/** Processor time of a process and its children, also of those that have ended. */
async function familyMicros(root) {
  let sum = 0;
  for (const name of await readdir('/proc')) {
    if (!/^\d+$/.test(name)) continue;
    const text = await readFile(`/proc/${name}/stat`, 'utf8').catch(() => '');
    const fields = text.slice(text.lastIndexOf(')') + 2).split(' ');
    const ticks = (from, to) => fields.slice(from, to).reduce((total, field) => total + Number(field), 0);
    if (Number(name) === root) sum += ticks(11, 15);
    else if (Number(fields[1]) === root) sum += ticks(11, 13);
  }
  return sum * CLOCK_TICK_MICROS;
}
