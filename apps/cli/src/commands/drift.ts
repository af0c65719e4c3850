// headrace drift: did the data change between two files, or two dataset versions? Needs no running system for files.
import { existsSync } from 'node:fs';
import { ArtifactStore } from '@headrace/artifacts';
import { InvalidArgumentError, Option, type Command } from 'commander';
import { connect, type Clients, type Connection } from '../connection';
import type { Rules } from '../drift/column-drift';
import { datasetSides } from '../drift/dataset-side';
import type { ColumnReport, DriftReport } from '../drift/drift-report';
import type { Side } from '../drift/sides';
import { figure, printRows } from '../output';

type WithClients = (work: (clients: Clients) => Promise<void>) => Promise<void>;

interface Options {
  readonly reference: string;
  readonly current: string;
  readonly columns?: readonly string[];
  readonly exclude: readonly string[];
  readonly categorical: readonly string[];
  readonly rules: Rules;
  readonly share: number;
  readonly gate: boolean;
  readonly json?: true;
}

export function addDriftCommand(program: Command, withClients: WithClients): void {
  program
    .command('drift')
    .description('did the data change: every column of one set of rows against another, by tests of its type and size')
    .requiredOption('--reference <file|stream[@version]>', 'Parquet or CSV, or a dataset version')
    .requiredOption('--current <file|stream[@version]>', 'what is compared with it')
    .option('--columns <names>', 'these alone, separated by commas', names)
    .option('--exclude <names>', 'all but these', names, [])
    .option('--categorical <names>', 'columns of numbers that name categories', names, [])
    .addOption(
      new Option('--rules <rules>', "tests and verdicts: headrace, or exactly Evidently's")
        .choices(['headrace', 'evidently'])
        .default('headrace'),
    )
    .option('--share <share>', 'the data drifted when so many of the columns did', share, 0.5)
    .option('--gate', 'exit code 2 when the data drifted', false)
    .option('--json', 'everything, for programs')
    .action(async (options: Options) => {
      const report = await compare(connect(process.env), withClients, options);
      if (options.json) process.stdout.write(`${JSON.stringify(report, withoutNaN, 2)}\n`);
      else print(report);
      if (options.gate && report.drifted) process.exitCode = 2;
    });
}

export async function compare(
  connection: Connection,
  withClients: WithClients,
  options: Omit<Options, 'gate' | 'json'>,
): Promise<DriftReport> {
  // Its engine is large: other commands start without it.
  const { driftReport } = await import('../drift/drift-report');
  const [reference, current] = await sidesOf([options.reference, options.current], connection, withClients);
  return driftReport({ ...options, columns: options.columns, reference, current });
}

function print({ reference, current, columns, leftOut, driftedShare, drifted }: DriftReport): void {
  printRows(columns.map(describe), false);
  const count = columns.filter((column) => column.drifted).length;
  const share = `${count} of ${columns.length} columns drifted (${(driftedShare * 100).toFixed(0)} %)`;
  process.stdout.write(
    `\n${current.source} (${current.rows} rows) against ${reference.source} (${reference.rows} rows): ${share}: ` +
      `${drifted ? 'the data DRIFTED' : 'the data did not drift'}\n`,
  );
  if (leftOut.length > 0) process.stderr.write(`left out, not comparable: ${leftOut.join(', ')}\n`);
}

function describe({ column, type, statistic, value, threshold, drifted, reference, current }: ColumnReport) {
  const change = (before: string, now: string): string => `${before} → ${now}`;
  const percent = (of: number): string => `${(of * 100).toFixed(1)}%`;
  const middle =
    type === 'number'
      ? change(figure(reference.median), figure(current.median))
      : change(`${reference.different} categories`, `${current.different}`);
  return {
    column,
    test: statistic,
    value: Number.isNaN(value) ? '–' : Number(value.toPrecision(4)).toString(),
    threshold,
    drifted: drifted ? 'DRIFT' : '',
    missing: change(percent(reference.missing), percent(current.missing)),
    'median, or how many': middle,
  };
}

/** Files when they are there or are named like one, dataset versions otherwise. */
async function sidesOf(
  texts: readonly [string, string],
  connection: Connection,
  withClients: WithClients,
): Promise<[Side, Side]> {
  const found = texts.map(fileOf);
  const missing = texts.filter((_, index) => found[index] === undefined);
  if (missing.length > 0) {
    const store = new ArtifactStore(connection.artifacts());
    await withClients(async (clients) => {
      const versions = await datasetSides(clients, store, missing);
      for (const [index, side] of found.entries()) found[index] = side ?? versions.shift();
    });
  }
  const [reference, current] = found;
  if (!reference || !current) throw new Error('expected two sides');
  return [reference, current];
}

function fileOf(text: string): Side | undefined {
  const format = /\.(parquet$|csv(?:\.gz)?$)/i.exec(text)?.[1]?.toLowerCase();
  if (existsSync(text) && format === undefined)
    throw new Error(`${text}: expected a name that ends in .parquet or .csv`);
  if (format === undefined) return undefined;
  if (!existsSync(text)) throw new Error(`${text}: there is no such file`);
  return { name: text, files: [text], format: format === 'parquet' ? 'parquet' : 'csv' };
}

function names(text: string): string[] {
  return text
    .split(',')
    .map((name) => name.trim())
    .filter((name) => name !== '');
}

function share(text: string): number {
  const value = Number(text);
  if (value > 0 && value <= 1) return value;
  throw new InvalidArgumentError('expected a share above 0, at most 1.');
}

/** JSON has no NaN. */
function withoutNaN(_key: string, value: unknown): unknown {
  return typeof value === 'number' && !Number.isFinite(value) ? null : value;
}
