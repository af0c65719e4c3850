// npm run bench -- monitoring [--rows 1000000]
//
// The batch drift report (`headrace drift`) beside Evidently's: the same files of 20 columns, the same tests, values compared.
import { mkdir, writeFile } from 'node:fs/promises';
import { cpus, totalmem } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { compareReports } from './monitoring/drift.mjs';

const { values: options } = parseArgs({ options: { rows: { type: 'string', default: '1000000' } } });
if (!/^[1-9]\d*$/.test(options.rows)) throw new Error(`--rows: a whole number from 1, not ${options.rows}`);

const memory = Math.round(totalmem() / 2 ** 30);
const machine = `${cpus().length} × ${cpus()[0]?.model ?? 'unknown processor'}, ${memory} GiB, Node ${process.version}`;
console.log(machine);

const drift = await compareReports(Number(options.rows));
const { headrace, evidently } = drift;
const line = (name, { seconds, cpuSeconds, peakMiB }) =>
  console.log(
    `${name.padEnd(12)}${seconds.toFixed(1).padStart(8)} s${cpuSeconds.toFixed(1).padStart(10)} s${peakMiB.toFixed(0).padStart(12)} MiB`,
  );
console.log(`Drift report over ${drift.rows} × ${drift.columns} and as much reference, whole processes:`);
console.log(`${''.padEnd(12)}${'wall'.padStart(10)}${'processor'.padStart(12)}${'memory at most'.padStart(16)}`);
line('headrace', headrace);
line('evidently', evidently);
console.log(
  `${drift.timesFaster.toFixed(1)} × faster (${drift.timesFasterThanItsReport.toFixed(1)} × its report alone, without start and reading), ` +
    `${(drift.shareOfMemory * 100).toFixed(0)} % of the memory; values differ by ${drift.largestDifference.toExponential(1)} at most.`,
);

const folder = join(fileURLToPath(new URL('..', import.meta.url)), '.headrace', 'bench');
await mkdir(folder, { recursive: true });
await writeFile(join(folder, 'monitoring.json'), `${JSON.stringify({ machine, drift }, undefined, 2)}\n`);
