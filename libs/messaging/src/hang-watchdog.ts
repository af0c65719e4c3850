// A thread of its own: when the heartbeat of the event loop stands still, it notes what was in hand with a connection of
// its own and ends the process. Normal events pay nothing for it but three numbers in shared memory.
import { writeSync } from 'node:fs';
import { parentPort, workerData } from 'node:worker_threads';
import { Client, type ClientConfig } from 'pg';
import { noteHang, type HeldRange } from './attempts';
import { HAND_FIELDS, HANDS, type NamedPartition, type WatchdogData } from './hang-watch';

const data = workerData as WatchdogData;
const NOTING_MS = 5000;
const STILL_TICKS = 10;

const beat = new Int32Array(data.beats);
const hands = new Float64Array(data.hands);
const partitions = new Map<number, NamedPartition>();
let last = Atomics.load(beat, 0);
let still = 0;

parentPort?.on('message', (named: NamedPartition) => partitions.set(named.number, named));

// Counted in ticks of this thread: a process that was stopped (SIGSTOP, a paused machine) did not hang.
const ticking = setInterval(() => {
  const now = Atomics.load(beat, 0);
  still = now === last ? still + 1 : 0;
  last = now;
  if (still < STILL_TICKS) return;
  clearInterval(ticking);
  void end();
}, data.hangMs / STILL_TICKS);

function heldNow(): HeldRange[] {
  const held: HeldRange[] = [];
  for (let slot = 0; slot < HANDS * HAND_FIELDS; slot += HAND_FIELDS) {
    const named = partitions.get(hands[slot] ?? 0);
    const [from = 0, to = 0] = [hands[slot + 1], hands[slot + 2]];
    if (named) held.push({ group: named.group, topic: named.topic, partition: named.partition, from, to });
  }
  return held;
}

async function end(): Promise<void> {
  const held = heldNow();
  say({ held, hangMs: data.hangMs }, 'the event loop hangs: the process is ended, what was in hand is tried alone');
  const giveUp = setTimeout(() => {
    say({}, 'the hang could not be noted in time');
    kill();
  }, NOTING_MS);
  try {
    if (held.length > 0) await note(held);
  } catch (error) {
    say({ fault: error instanceof Error ? error.message : String(error) }, 'the hang could not be noted');
  }
  clearTimeout(giveUp);
  kill();
}

async function note(held: readonly HeldRange[]): Promise<void> {
  const client = new Client({ ...data.connection, ssl: data.connection.ssl as ClientConfig['ssl'] });
  await client.connect();
  try {
    await client.query('BEGIN');
    await noteHang(
      (sql, parameters) => client.query(sql, parameters),
      held,
      `the event loop stood still for ${data.hangMs} ms`,
    );
    await client.query('COMMIT');
  } finally {
    await client.end();
  }
}

/** Past the logger, whose event loop hangs; the form is that of its lines. */
function say(fields: object, message: string): void {
  const line = { level: 60, time: Date.now(), service: data.service, ...fields, msg: message };
  writeSync(2, `${JSON.stringify(line)}\n`);
}

/** Nothing gentler ends a process whose event loop hangs. */
function kill(): void {
  process.kill(process.pid, 'SIGKILL');
}
