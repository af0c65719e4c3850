// The loop, unattended, on streams of the example "parcels" that change (or do not) in a known way.
import { DAY_MS, timeOfDay, turnsOf } from '../../examples/parcels/world.mjs';
import { definitionsOf, HISTORY_DAYS, Traffic, untilServes } from '../../tools/live/parcels.mjs';
import { isQuiet, lookAt, performanceWindows, retrainings } from './loop.mjs';

/** The stream runs on for so many days before it changes, and after. */
const BEFORE_DAYS = 4;
const AFTER_DAYS = 24;
/** Three turns: the changed world comes, goes and comes again. */
const RECURRING_AFTER_DAYS = 48;
/** A training may last so many days of the stream. */
const TRAINING_DAYS = 3;
const LEAST_DAY_SECONDS = 1.5;
const SETTLE_MS = 60_000;
const CHANGE_DAY = HISTORY_DAYS + BEFORE_DAYS;

export async function runDrift(live, drift, { daySeconds: wanted, say }) {
  const name = drift === 'none' ? 'parcels-control' : `parcels-${drift}`;
  await live.apply(await definitionsOf(live, name));
  const world = { drift, 'change-day': CHANGE_DAY };
  const trainingSeconds = await untilServes(live, name, world, say);
  // A slow machine takes longer to train; the world must not be over by then.
  const daySeconds = wanted ?? Math.max(LEAST_DAY_SECONDS, trainingSeconds / TRAINING_DAYS);
  const afterDays = afterDaysOf(drift);
  const untilDay = CHANGE_DAY + afterDays;
  say(
    `${name}: ${BEFORE_DAYS} days, then ${drift === 'none' ? 'no' : drift} change and ${afterDays} more, ${daySeconds.toFixed(1)} s each`,
  );
  const traffic = new Traffic(live, {
    name,
    'from-day': HISTORY_DAYS,
    'until-day': untilDay,
    'day-seconds': daySeconds,
    ...world,
  });
  const said = new Set();
  const tell = ({ decisions, history }) => {
    for (const { type, at, summary } of decisions) once(`${type} ${at}`, at, `${type}: ${summary}`);
    for (const { change, at, version, reason } of history)
      once(`${change} ${at}`, at, `${change.replaceAll('_', ' ')}, version ${version}${reason ? ` (${reason})` : ''}`);
  };
  const once = (key, at, line) => {
    if (said.has(key)) return;
    said.add(key);
    const day = (traffic.eventTimeAt(at) - timeOfDay(0)) / DAY_MS;
    say(`  ${day > 0 ? `day ${day.toFixed(1)}` : 'before'}  ${line}`);
  };
  try {
    const report = await live.until(
      'the traffic ends',
      async () => {
        tell(await lookAt(live, name));
        return traffic.ended ? traffic.done : undefined;
      },
      600_000 + afterDays * daySeconds * 3_000,
      500,
    );
    // Without further requests a canary stays undecided: only trainings and verdicts on their way are waited for.
    const state = await live
      .until(
        'what is on its way has ended',
        async () => {
          const now = await lookAt(live, name);
          tell(now);
          const last = Math.max(...performanceWindows(now).map(({ end }) => end));
          return isQuiet(now) && last >= timeOfDay(untilDay - 1) ? now : undefined;
        },
        SETTLE_MS,
      )
      .catch(() => lookAt(live, name));
    return { name, drift, daySeconds, report, ...judge(state, drift, traffic) };
  } finally {
    await traffic.stop();
  }
}

function afterDaysOf(drift) {
  return drift === 'recurring' ? RECURRING_AFTER_DAYS : AFTER_DAYS;
}

/** Each change with what followed until the next one, in days of event time since it. */
function judge(state, drift, traffic) {
  const reached = (at) => traffic.eventTimeAt(at);
  const windows = performanceWindows(state);
  const starts = turnsOf(drift, afterDaysOf(drift)).map((days) => timeOfDay(CHANGE_DAY + days));
  const turns = starts.map((from, index) => {
    const until = starts[index + 1] ?? Infinity;
    const days = (time) => (time === undefined ? undefined : (time - from) / DAY_MS);
    const within = (list) => list.filter(({ at }) => reached(at) >= from && reached(at) < until);
    const detections = within(state.decisions.filter(({ type }) => /^(DriftDetected|PerformanceDegraded)$/.test(type)));
    const requests = within(state.decisions.filter(({ type }) => type === 'RetrainingRequested'));
    const promotions = within(state.history.filter(({ change }) => change === 'promoted'));
    const mine = windows.filter(({ start }) => start >= from && start < until);
    const lastBad = mine.findLast(({ crossed }) => crossed);
    const recovered = mine.length > 0 && !mine.at(-1).crossed && promotions.length > 0;
    const [registered] = state.versions
      .filter(
        ({ trigger, registeredAtMicros }) =>
          ['drift', 'performance'].includes(trigger) && registeredAtMicros / 1_000 > (requests[0]?.at ?? Infinity),
      )
      .map(({ registeredAtMicros }) => ({ at: registeredAtMicros / 1_000 }))
      .sort((a, b) => a.at - b.at);
    const wall = (event) => (event && requests[0] ? (event.at - requests[0].at) / 1_000 : undefined);
    return {
      signals: [...new Set(detections.map(({ type }) => type))],
      detectedDays: days(detections[0] && reached(detections[0].at)),
      retrainedDays: days(registered && reached(registered.at)),
      promotedDays: days(promotions[0] && reached(promotions[0].at)),
      promotedSeconds: wall(promotions[0]),
      recoveredDays: recovered ? Math.max(days(lastBad?.end ?? from), days(reached(promotions[0].at))) : undefined,
      brier: [worst(mine), mine.at(-1)?.brier],
    };
  });
  const before = windows.filter(({ start }) => start < (starts[0] ?? Infinity));
  return {
    turns,
    retrainings: retrainings(state),
    failedRuns: state.runs
      .filter(({ state: end, trigger }) => end === 'failed' && trigger !== 'data-volume')
      .map(({ error }) => error),
    promoted: state.history.filter(({ change }) => change === 'promoted').length,
    rolledBack: state.history.filter(({ change }) => change === 'rolled_back').length,
    detections: state.decisions.filter(({ type }) => /^(DriftDetected|PerformanceDegraded)$/.test(type)).length,
    windows: windows.length,
    brierBefore: before.reduce((sum, { brier }) => sum + brier, 0) / before.length,
  };
}

function worst(windows) {
  return Math.max(...windows.map(({ brier }) => brier));
}

/** What the promises say of a run; empty when all was kept. */
export function faultsOfDrift({ name, drift, turns, retrainings: asked, report, failedRuns, windows }) {
  const faults = [];
  const expect = (holds, fault) => void (holds || faults.push(`${name}: ${fault}`));
  const total = Object.values(asked).reduce((sum, count) => sum + count, 0);
  expect(
    report.failed === 0,
    `${report.failed} requests got neither an answer nor the fallback (${report.firstFailure})`,
  );
  expect(failedRuns.length === 0, `a training failed: ${failedRuns[0]}`);
  if (drift === 'none') {
    expect(total === 0, `the stream is stationary, yet ${total} retrainings were asked for`);
    expect(windows >= AFTER_DAYS, `only ${windows} windows of labels were judged`);
  }
  for (const [index, turn] of turns.entries()) {
    const which = turns.length === 1 ? 'the change' : `change ${index + 1}`;
    expect(turn.detectedDays !== undefined, `${which} was not detected`);
    expect(turn.promotedDays !== undefined, `nothing was promoted after ${which}`);
    expect(turn.recoveredDays !== undefined, `the answers had not recovered from ${which} at its end`);
  }
  return faults;
}
