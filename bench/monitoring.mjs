// npm run bench -- monitoring [drift] [steady] [--rows 1000000] [--predictions 300000] [--window 60000] [--together] [--profile]
//
// drift: the batch drift report (`headrace drift`) beside Evidently's: the same files of 20 columns, the same tests, values
// compared. steady: predictions with 20 features through the monitoring service, from the log to judged windows, on one core;
// --together: with a test of all features together besides those of each.
import { mkdir, writeFile } from 'node:fs/promises';
import { cpus, totalmem } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { compareReports } from './monitoring/drift.mjs';
import { steadyState } from './monitoring/steady.mjs';

const { values: options, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    rows: { type: 'string', default: '1000000' },
    predictions: { type: 'string', default: '300000' },
    window: { type: 'string', default: '60000' },
    together: { type: 'boolean', default: false },
    profile: { type: 'boolean', default: false },
  },
});
for (const name of ['rows', 'predictions', 'window']) {
  if (!/^[1-9]\d*$/.test(options[name])) throw new Error(`--${name}: a whole number from 1, not ${options[name]}`);
}
const PARTS = { drift: compareDrift, steady: measureSteadyState };
const parts = positionals.length === 0 ? Object.keys(PARTS) : positionals;
for (const part of parts) {
  if (!(part in PARTS)) throw new Error(`${part}: expected ${Object.keys(PARTS).join(' or ')}`);
}
const folder = join(fileURLToPath(new URL('..', import.meta.url)), '.headrace', 'bench');
const memory = Math.round(totalmem() / 2 ** 30);
const machine = `${cpus().length} × ${cpus()[0]?.model ?? 'unknown processor'}, ${memory} GiB, Node ${process.version}`;
console.log(machine);

const report = { machine };
for (const part of parts) report[part] = await PARTS[part]();
await mkdir(folder, { recursive: true });
await writeFile(join(folder, 'monitoring.json'), `${JSON.stringify(report, undefined, 2)}\n`);
process.exit();

async function compareDrift() {
  const drift = await compareReports(Number(options.rows));
  const line = (name, { seconds, cpuSeconds, peakMiB }) =>
    console.log(
      `${name.padEnd(12)}${seconds.toFixed(1).padStart(8)} s${cpuSeconds.toFixed(1).padStart(10)} s${peakMiB.toFixed(0).padStart(12)} MiB`,
    );
  console.log(`Drift report over ${drift.rows} × ${drift.columns} and as much reference, whole processes:`);
  console.log(`${''.padEnd(12)}${'wall'.padStart(10)}${'processor'.padStart(12)}${'memory at most'.padStart(16)}`);
  line('headrace', drift.headrace);
  line('evidently', drift.evidently);
  console.log(
    `${drift.timesFaster.toFixed(1)} × faster (${drift.timesFasterThanItsReport.toFixed(1)} × its report alone, without start and reading), ` +
      `${(drift.shareOfMemory * 100).toFixed(0)} % of the memory; values differ by ${drift.largestDifference.toExponential(1)} at most.`,
  );
  return drift;
}

async function measureSteadyState() {
  const profiles = options.profile ? join(folder, 'profiles', 'monitoring') : undefined;
  const found = await steadyState(Number(options.predictions), Number(options.window), options.together, profiles);
  console.log(
    `Predictions with ${found.features} features, service on one core, Kafka and Postgres on the other: ${found.perSecond}/s through ` +
      `${found.windows} windows of ${options.window}; ${found.serviceMicros.toFixed(1)} µs of the service each ` +
      `(${found.perSecondOfProcessor}/s of its processor), ${found.postgresMicros.toFixed(1)} µs of Postgres; at most ${found.peakMiB} MiB.`,
  );
  return found;
}
