// headrace replay: runs the service's own program in replay mode and shows what it tells.
import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import type { ReplaySummary } from '@headrace/messaging';
import type { ReplayResult } from '@headrace/service-kit';
import { installationFolders } from '@headrace/embedded';
import type { Command } from 'commander';
import { readSystemFile } from '../connection';
import { SERVICES } from '../local/system';
import { printRows } from '../output';

interface ReplayOptions {
  readonly group?: string;
  readonly into?: string;
  readonly fromTime?: string;
  readonly fromOffset: readonly string[];
  readonly to: string;
  readonly dryRun: boolean;
  readonly compare: boolean;
  readonly replace: boolean;
  readonly drop: boolean;
  readonly json: boolean;
}

export function addReplayCommand(program: Command): void {
  program
    .command('replay <service>')
    .description('rebuild the state of a service from the log in a schema of its own; nothing is published')
    .option('--group <group>', 'consumer group; needed when the service has several that can be replayed')
    .option('--into <schema>', 'default: <service>_replay')
    .option('--from-time <time>', 'events written at or after this time (2026-01-31T12:00:00Z); default: all')
    .option(
      '--from-offset <topic:partition:offset>',
      'where a partition begins; may be repeated',
      (one: string, all: readonly string[]) => [...all, one],
      [],
    )
    .option('--to <time>', 'events written before this time, or now', 'now')
    .option('--dry-run', 'show what would be read', false)
    .option('--compare', 'with the state of the running service; exit code 2 when it differs', false)
    .option('--replace', 'an earlier replay in this schema goes', false)
    .option('--drop', 'the schema goes at the end', false)
    .option('--json', '', false)
    .action(async (service: string, options: ReplayOptions) => {
      process.exitCode = await replay(service, options);
    });
}

async function replay(service: string, options: ReplayOptions): Promise<number> {
  const name = SERVICES.find((known) => known === service);
  if (!name) throw new Error(`"${service}": expected one of ${SERVICES.join(', ')}`);
  const program = join(installationFolders().repository, 'apps', name, 'dist', 'main.js');
  if (!existsSync(program)) throw new Error(`${program} is missing: run "npx nx run-many -t build" first`);
  const { output, code } = await run(program, argumentsOf(options), environmentOf(process.env));
  if (output === '') return code === 0 ? 1 : code;
  const result = JSON.parse(output) as ReplayResult & { readonly summary: ReplaySummary };
  if (options.json) process.stdout.write(`${JSON.stringify(result, null, 2)}\n`);
  else print(result);
  return code;
}

function argumentsOf(options: ReplayOptions): string[] {
  const { group, into, fromTime, fromOffset, to } = options;
  const flags = ['dryRun', 'compare', 'replace', 'drop'] as const;
  const names = { dryRun: '--dry-run', compare: '--compare', replace: '--replace', drop: '--drop' };
  return [
    'replay',
    ...(group === undefined ? [] : ['--group', group]),
    ...(into === undefined ? [] : ['--into', into]),
    ...(fromTime === undefined ? [] : ['--from-time', fromTime]),
    ...fromOffset.flatMap((one) => ['--from-offset', one]),
    '--to',
    to,
    ...flags.filter((flag) => options[flag]).map((flag) => names[flag]),
  ];
}

/** What a local system told of itself; the environment comes first. */
function environmentOf(environment: NodeJS.ProcessEnv): NodeJS.ProcessEnv {
  const system = readSystemFile();
  const settings = {
    KAFKA_BROKERS: environment['KAFKA_BROKERS'] ?? system?.kafka,
    DATABASE_URL: environment['DATABASE_URL'] ?? system?.database,
    HEADRACE_ARTIFACTS: environment['HEADRACE_ARTIFACTS'] ?? system?.artifacts,
  };
  const missing = Object.entries(settings).filter(([, value]) => value === undefined);
  if (missing.length > 0) {
    const names = missing.map(([variable]) => variable).join(', ');
    throw new Error(`no running system found: start one with "npm run up", or set ${names}`);
  }
  return { ...environment, ...settings, LOG_LEVEL: environment['LOG_LEVEL'] ?? 'error' };
}

/** An interrupt reaches the child by itself: both are of one terminal. */
async function run(
  program: string,
  args: readonly string[],
  environment: NodeJS.ProcessEnv,
): Promise<{ readonly output: string; readonly code: number }> {
  const child = spawn(process.execPath, ['--enable-source-maps', program, ...args], {
    env: environment,
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const ignore = (): void => undefined;
  process.on('SIGINT', ignore);
  let output = '';
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    output += text;
  });
  try {
    const code = await new Promise<number>((resolve, reject) => {
      child.once('error', reject);
      child.once('close', (status) => resolve(status ?? 1));
    });
    return { output, code };
  } finally {
    process.off('SIGINT', ignore);
  }
}

function print({
  service,
  schema,
  seconds,
  summary,
  comparison,
}: ReplayResult & { readonly summary: ReplaySummary }): void {
  const say = (line: string): void => void process.stdout.write(`${line}\n`);
  printRows(
    summary.partitions.map(({ topic, partition, from, to, records }) => {
      const where = { topic, partition, from, to };
      return summary.dryRun ? where : { ...where, records };
    }),
    false,
  );
  if (summary.dryRun) {
    say(`group ${summary.group} of ${service} would read this; nothing was done`);
    return;
  }
  say('');
  printRows(
    summary.outcomes.map(({ topic, type, outcome, events }) => {
      return { topic, type: type.split('.').at(-1) ?? type, outcome, events };
    }),
    false,
  );
  if (summary.withheld.length > 0) {
    say('\npublished by handlers and withheld:');
    printRows(summary.withheld, false);
  }
  if (comparison) {
    say('');
    printRows(
      comparison.tables.map(({ name, live, replayed, same }) => ({
        table: name,
        live,
        replayed,
        same: same ? 'yes' : 'NO',
      })),
      false,
    );
    if (comparison.liveAhead !== 0) say(`the running service has handled ${comparison.liveAhead} offsets more`);
  }
  if (!summary.fromBeginning) say('some partitions were not read from their first event: earlier state is missing');
  if (summary.waiting > 0) say(`${summary.waiting} events still wait for something`);
  say(`${seconds.toFixed(1)} s${schema === null ? ', the schema was dropped' : `, schema ${schema}`}`);
}
