// npm run game-day [-- --only Drift,OutboxAge] [--factor 100] [--check]
//
// Each alert: a script makes its fault, sees it fire, does what its runbook says, sees it resolve; on a real system and
// Debian's Prometheus with the real rules. Nobody can wait for hours here: all durations of the rules ([5m], for: 10m,
// offset 1h) are divided by one factor; thresholds are not. --check: only whether every alert has its drill and every drill
// says what its runbook says, without a system. Exit code 1: an alert did not fire, or did not end.
import { spawnSync } from 'node:child_process';
import { parseArgs } from 'node:util';
import { drills } from './drills.mjs';
import { runbooks } from './rules.mjs';
import { World } from './world.mjs';

const FIRE_MS = 180_000;
const RESOLVE_MS = 240_000;
/** The longest window that an alert's end waits for: 6 h. */
const LONGEST_MS = 6 * 3_600_000;

const { values: options } = parseArgs({
  options: {
    only: { type: 'string' },
    factor: { type: 'string', default: '100' },
    check: { type: 'boolean', default: false },
  },
});

function stopWith(message) {
  console.error(message);
  process.exit(2);
}

const factor = Number(options.factor);
if (!(factor >= 1 && factor <= 100)) stopWith('--factor: expected 1 to 100');
const pages = runbooks();
const only = options.only?.split(',') ?? [...pages.keys()];
const unknown = only.find((alert) => !pages.has(alert));
if (unknown !== undefined) stopWith(`--only: there is no alert "${unknown}", only ${[...pages.keys()].join(', ')}`);

/** What the table of drills lacks, or says otherwise than the runbooks. */
function faultsOfTable() {
  const tried = new Set(drills.flatMap(({ alerts, lingers = [] }) => [...alerts, ...lingers]));
  const faults = [...pages.keys()].filter((alert) => !tried.has(alert)).map((alert) => `${alert}: has no drill`);
  const flat = (text) => text.replaceAll(/\s+/g, ' ');
  for (const { alerts, steps } of drills) {
    const texts = alerts.map((alert) => flat(pages.get(alert)?.text ?? ''));
    for (const { says } of steps)
      if (!texts.some((text) => text.includes(flat(says))))
        faults.push(`${alerts[0]}: its runbook does not say "${says}"`);
  }
  return faults;
}

const began = performance.now();
const seconds = (since = began) => ((performance.now() - since) / 1_000).toFixed(1);
const say = (line) => console.log(`${seconds().padStart(6)} s  ${line}`);

const tableFaults = faultsOfTable();
for (const fault of tableFaults) console.error(fault);
if (tableFaults.length > 0) process.exit(1);
if (options.check) {
  console.log(`${drills.length} drills, of ${pages.size} alerts, say what their runbooks say`);
  process.exit(0);
}
if (spawnSync('prometheus', ['--version']).error) {
  console.log('SKIPPED: prometheus is not installed (Debian: apt-get install prometheus)');
  process.exit(0);
}

const interrupted = new AbortController();
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'])
  process.on(signal, () => interrupted.abort(new Error('interrupted')));
const rows = [];

/** Plays one drill; gives what went wrong. */
async function play(world, { alerts, lingers = [], fault, fireMs = FIRE_MS, steps, after }) {
  const until = (what, condition, timeout) => world.live.until(what, condition, timeout, 200);
  const started = performance.now();
  say(`${alerts.join(', ')}: ${fault.what}`);
  try {
    await until('none of them fires before', () => noneFires(world, alerts), LONGEST_MS / factor);
    world.endFault = (await fault.does(world)) ?? (() => undefined);
    const fired = performance.now();
    const missing = new Set([...alerts, ...lingers]);
    await until(
      `${[...missing].join(', ')} fire`,
      async () => {
        for (const alert of missing) if ((await world.firing(alert)).length > 0) missing.delete(alert);
        return missing.size === 0;
      },
      fireMs,
    ).catch((error) => {
      throw new Error(`${error.message} (missing: ${[...missing].join(', ')})`);
    });
    const firedAfter = seconds(fired);
    say(`  fire after ${firedAfter} s`);
    const mended = performance.now();
    for (const { says, does } of steps) {
      say(`  the runbook: ${says.replaceAll(/\s+/g, ' ')}`);
      await does(world);
    }
    await until('they are resolved', () => noneFires(world, alerts), RESOLVE_MS);
    say(`  resolved after ${seconds(mended)} s`);
    rows.push([
      alerts.join(', '),
      fault.what,
      `${firedAfter} s`,
      steps.map(({ says }) => says.replaceAll(/\s+/g, ' ').slice(0, 70)).join('; '),
      `${seconds(mended)} s`,
    ]);
    return undefined;
  } catch (error) {
    if (interrupted.signal.aborted) throw error;
    say(`  NOT AS IT SHOULD BE: ${error.message}`);
    return `${alerts.join(', ')}: ${error.message} (${seconds(started)} s)`;
  } finally {
    // What cannot be put back spoils the drills that follow: it ends the run.
    if (!interrupted.signal.aborted) await after?.(world);
  }
}

async function noneFires(world, alerts) {
  for (const alert of alerts) if ((await world.firing(alert)).length > 0) return false;
  return true;
}

const chosen = drills.filter(({ alerts, lingers = [] }) =>
  [...alerts, ...lingers].some((alert) => only.includes(alert)),
);
const faults = [];
let world;
try {
  world = await World.start({ factor, say, signal: interrupted.signal });
  await world.begin();
  say(`The system is up; durations of the rules are divided by ${factor}`);
  for (const drill of chosen) {
    interrupted.signal.throwIfAborted();
    const fault = await play(world, drill);
    if (fault !== undefined) faults.push(fault);
  }
  const lingering = chosen.flatMap(({ lingers = [] }) => lingers);
  if (lingering.length > 0) {
    say(`${lingering.join(', ')}: end when what is past has left 6 h, here ${LONGEST_MS / factor / 1_000} s`);
    const since = performance.now();
    await world.live
      .until('they are resolved', () => noneFires(world, lingering), LONGEST_MS / factor + RESOLVE_MS)
      .then(() =>
        rows.push([lingering.join(', '), 'with those above', '', 'nothing more', `${seconds(since)} s later`]),
      )
      .catch((error) => faults.push(`${lingering.join(', ')}: ${error.message}`));
  }
} catch (error) {
  if (!interrupted.signal.aborted) {
    faults.push(`the run ended early: ${error.message}`);
    console.error(error);
  }
} finally {
  await world?.stop();
}
if (!interrupted.signal.aborted) {
  console.log(`\nDurations of the rules divided by ${factor}`);
  const head = ['alerts', 'fault', 'fired after', 'what the runbook says', 'resolved after'];
  for (const row of [head, ...rows]) console.log(`  ${row.join(' | ')}`);
  for (const fault of faults) console.log(`  NOT AS IT SHOULD BE: ${fault}`);
  console.log(faults.length === 0 ? `All as it should be in ${seconds()} s` : `Not everything (${seconds()} s)`);
}
process.exit(interrupted.signal.aborted ? 130 : faults.length === 0 ? 0 : 1);
