// The batch drift report beside Evidently's: the same two files, the same tests, each in a process of its own.
import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { CATEGORIES, NUMBERS, writeSides } from './drift-data.mjs';
import { runWatched } from './watched-process.mjs';

const repository = fileURLToPath(new URL('../..', import.meta.url));
const ENVIRONMENT = join(repository, '.headrace', 'bench-evidently');
const REQUIREMENTS = join(repository, 'libs', 'statistics', 'golden', 'requirements-evidently.txt');
const OURS_IS_RUN = 3;
/** Relative; the definitions are the same, only the order of additions is not. */
const SAME = 1e-9;

function run(command, ...args) {
  const { status, error } = spawnSync(command, args, { stdio: ['ignore', 'inherit', 'inherit'] });
  if (error) throw error;
  if (status !== 0) throw new Error(`${command} ${args.join(' ')} ended with exit code ${status}`);
}

/** About 700 MB and a minute, once. */
async function install() {
  const wanted = await readFile(REQUIREMENTS, 'utf8');
  const mark = join(ENVIRONMENT, 'installed.txt');
  if (existsSync(mark) && (await readFile(mark, 'utf8')) === wanted) return;
  console.log('Installing Evidently, once');
  await rm(ENVIRONMENT, { recursive: true, force: true });
  run('python3', '-m', 'venv', ENVIRONMENT);
  run(join(ENVIRONMENT, 'bin', 'pip'), 'install', '--quiet', '--requirement', REQUIREMENTS);
  await writeFile(mark, wanted);
}

/** Times, memory, and how far the values of the two are from each other at most. Throws when they differ. */
export async function compareReports(rows) {
  await install();
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
    const theirs = await runWatched(join(ENVIRONMENT, 'bin', 'python'), [
      script,
      ...paths,
      NUMBERS.join(),
      CATEGORIES.join(),
    ]);
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
