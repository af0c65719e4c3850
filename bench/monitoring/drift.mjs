// The batch drift report beside Evidently's: the same two files, the same tests, each in a process of its own.
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { pythonEnvironment } from '../python-environment.mjs';
import { CATEGORIES, NUMBERS, writeSides } from './drift-data.mjs';
import { runWatched } from './watched-process.mjs';

const repository = fileURLToPath(new URL('../..', import.meta.url));
const REQUIREMENTS = join(repository, 'libs', 'statistics', 'golden', 'requirements-evidently.txt');
const OURS_IS_RUN = 3;
/** Relative; the definitions are the same, only the order of additions is not. */
const SAME = 1e-9;

/** Times, memory, and how far the values of the two are from each other at most. Throws when they differ. */
export async function compareReports(rows) {
  const programs = await pythonEnvironment('Evidently', REQUIREMENTS);
  const folder = await mkdtemp(join(tmpdir(), 'headrace-bench-'));
  try {
    const paths = ['reference', 'current'].map((side) => join(folder, `${side}.parquet`));
    await writeSides(rows, paths);
    const program = join(repository, 'apps', 'cli', 'bin', 'headrace.mjs');
    const [reference, current] = paths;
    const asked = [program, 'drift', '--reference', reference, '--current', current, '--rules', 'evidently', '--json'];
    const ours = [];
    for (let round = 0; round < OURS_IS_RUN; round += 1) ours.push(await runWatched(process.execPath, asked));
    const script = fileURLToPath(new URL('evidently_report.py', import.meta.url));
    const theirs = await runWatched(join(programs, 'python'), [script, ...paths, NUMBERS.join(), CATEGORIES.join()]);
    return reportOf(rows, ours, theirs);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

function reportOf(rows, ours, theirs) {
  const { columns } = JSON.parse(ours[0].output);
  const { seconds, values, drifted } = JSON.parse(theirs.output.trim().split('\n').at(-1));
  // Evidently takes p-values of its z-test from 1, which leaves them an error of 1e-16.
  const apart = (a, b) => (Math.abs(a - b) <= 1e-15 ? 0 : Math.abs(a - b) / Math.abs(b));
  const differences = columns.map(({ column, value }) => apart(value, values[column]));
  const difference = Math.max(...differences);
  const found = columns.filter((column) => column.drifted).length;
  if (columns.length !== Object.keys(values).length || !(difference <= SAME) || found !== drifted) {
    throw new Error(`the reports differ: by ${difference}, ${found} and ${drifted} columns drifted`);
  }
  const middle = [...ours].sort((a, b) => a.seconds - b.seconds)[Math.floor(ours.length / 2)];
  const told = ({ seconds, cpuSeconds, peakMiB }) => ({ seconds, cpuSeconds, peakMiB });
  return {
    rows,
    columns: columns.length,
    headrace: told(middle),
    evidently: { ...told(theirs), reportSeconds: seconds.report },
    timesFaster: theirs.seconds / middle.seconds,
    timesFasterThanItsReport: seconds.report / middle.seconds,
    shareOfMemory: Math.max(...ours.map(({ peakMiB }) => peakMiB)) / theirs.peakMiB,
    largestDifference: difference,
    drifted: found,
  };
}
