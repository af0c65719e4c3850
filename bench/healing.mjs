// npm run bench -- healing [--only control,candidates,label-only,abrupt,gradual,recurring,natural] [--candidates 20] [--day-seconds N]
//
// The loop unattended: real Kafka, Postgres and services; nobody acts but to bring in bad candidates on purpose. Streams of
// the example "parcels" change in a known way; "natural" are the real flights as they were. A day of a stream takes so many wall
// seconds that the first training lasted three days of it, or --day-seconds. Prints what the loop did.
// Exit code 1: a promise was broken. Promised are: no retraining on a stationary stream; each known change is detected and
// recovered from; each bad candidate is rolled back; no request fails. Of "natural" only the last is promised.
import { cpus, release, totalmem } from 'node:os';
import { parseArgs } from 'node:util';
import { LiveSystem } from '../tools/live/system.mjs';
import { faultsOfCandidates, runCandidates } from './healing/candidates.mjs';
import { faultsOfDrift, runDrift } from './healing/drifts.mjs';
import { faultsOfNatural, runNatural } from './healing/natural.mjs';

const KINDS = ['control', 'candidates', 'label-only', 'abrupt', 'gradual', 'recurring', 'natural'];

const { values: options } = parseArgs({
  options: {
    only: { type: 'string', default: KINDS.join(',') },
    candidates: { type: 'string', default: '20' },
    'day-seconds': { type: 'string' },
  },
});
const only = options.only.split(',');
const unknown = only.find((kind) => !KINDS.includes(kind));
const count = Number(options.candidates);
const daySeconds = options['day-seconds'] === undefined ? undefined : Number(options['day-seconds']);
if (unknown !== undefined) stopWith(`--only: there is no "${unknown}", only ${KINDS.join(', ')}`);
if (!Number.isInteger(count) || count < 1 || count > 100) stopWith('--candidates: expected a whole number, 1 to 100');
if (daySeconds !== undefined && !(daySeconds >= 0.5 && daySeconds <= 60)) stopWith('--day-seconds: expected 0.5 to 60');

function stopWith(message) {
  console.error(message);
  process.exit(2);
}

const interrupted = new AbortController();
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'])
  process.on(signal, () => interrupted.abort(new Error('interrupted')));
const began = performance.now();
const say = (line) => console.log(`${((performance.now() - began) / 1_000).toFixed(1).padStart(6)} s  ${line}`);

const days = (value) => (value === undefined ? '–' : `${value.toFixed(1)} d`);
const byDrift = ({ drift, performance: worse, estimate, concept }) => {
  const total = drift + worse + estimate + concept;
  return total === 0 ? '0' : `${total} (${drift} drift, ${worse} performance)`;
};

function rowsOf(result) {
  const { drift, turns, retrainings } = result;
  if (drift === 'none')
    return [
      [`control (${result.windows} windows)`, `${result.detections} signals`, '–', '–', '–', '–', byDrift(retrainings)],
    ];
  return turns.map((turn, index) => [
    turns.length === 1 ? drift : `${drift}, change ${index + 1}`,
    days(turn.detectedDays),
    days(turn.retrainedDays),
    `${days(turn.promotedDays)}${turn.promotedSeconds === undefined ? '' : ` (${turn.promotedSeconds.toFixed(0)} s)`}`,
    days(turn.recoveredDays),
    `${result.brierBefore.toFixed(3)} → ${turn.brier[0].toFixed(3)} → ${turn.brier[1]?.toFixed(3) ?? '–'}`,
    index === 0 ? byDrift(retrainings) : '',
  ]);
}

function print(rows) {
  const head = ['kind', 'detected after', 'retrained', 'promoted', 'recovered', 'Brier before, worst, at the end', 'retrainings by drift']; // prettier-ignore
  const widths = head.map((title, column) => Math.max(title.length, ...rows.map((row) => row[column].length)));
  for (const row of [head, ...rows])
    console.log(
      `  ${row
        .map((cell, column) => cell.padEnd(widths[column]))
        .join('   ')
        .trimEnd()}`,
    );
}

function printCandidates({ candidates, report, otherTrainings }) {
  const seconds = candidates
    .flatMap(({ seconds: taken }) => (taken === undefined ? [] : [taken]))
    .sort((a, b) => a - b);
  const rolledBack = candidates.filter(({ outcome }) => outcome === 'rolled_back').length;
  const shown = [seconds[0], seconds[seconds.length >> 1], seconds.at(-1)].map((value) => (value ?? NaN).toFixed(1));
  console.log(
    `  bad candidates: ${rolledBack} of ${candidates.length} rolled back, ${candidates.filter(({ waived }) => !waived).length} of them had passed their gates; ` +
      `canary of ${shown.join(' / ')} s (least, median, most); ${report.asked} requests asked, ${report.fallback} answered by the fallback, ${report.failed} failed, ${otherTrainings} other retrainings`,
  );
}

function printNatural({
  counts,
  retrainings,
  promoted,
  rolledBack,
  canaries,
  undecided,
  windows,
  badWindows,
  decisions,
}) {
  console.log(
    `  natural (the flights as they were): ${counts.asked} requests, ${counts.failed} failed; ${badWindows} of ${windows} windows of labels were bad; ` +
      `retrainings ${byDrift(retrainings)}; ${canaries} canaries: ${promoted} promoted, ${rolledBack} rolled back${undecided ? ', one without a verdict at the end' : ''}`,
  );
  for (const decision of decisions) console.log(`    ${decision}`);
}

let live;
const faults = [];
const rows = [];
const after = [];
try {
  live = await LiveSystem.start({ name: 'healing', say, signal: interrupted.signal });
  for (const kind of KINDS.filter((one) => only.includes(one))) {
    interrupted.signal.throwIfAborted();
    if (kind === 'candidates') {
      const result = await runCandidates(live, count, { daySeconds, say });
      after.push(() => printCandidates(result));
      faults.push(...faultsOfCandidates(result, count));
    } else if (kind === 'natural') {
      const result = await runNatural(live, { say });
      after.push(() => printNatural(result));
      faults.push(...faultsOfNatural(result));
    } else {
      const result = await runDrift(live, kind === 'control' ? 'none' : kind, { daySeconds, say });
      rows.push(...rowsOf(result));
      faults.push(...faultsOfDrift(result));
    }
  }
} catch (error) {
  if (!interrupted.signal.aborted) {
    faults.push(`the run ended early: ${error.message}`);
    console.error(error);
  }
} finally {
  await live?.stop();
}
if (!interrupted.signal.aborted || rows.length + after.length > 0) {
  console.log(
    `\n${cpus().length} × ${cpus()[0]?.model}, ${Math.round(totalmem() / 2 ** 30)} GiB, ${process.platform} ${release()}, Node ${process.version}`,
  );
  if (rows.length > 0) print(rows);
  for (const tell of after) tell();
  for (const fault of faults) console.log(`  BROKEN: ${fault}`);
}
process.exit(interrupted.signal.aborted ? 130 : faults.length === 0 ? 0 : 1);
