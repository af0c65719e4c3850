// headrace replay <service>: runs the service's own program in replay mode and shows what it tells. The other form, with
// --endpoint, is in replay-version.ts; what belongs to one form is refused in the other.
import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import type { ReplaySummary } from '@headrace/messaging';
import type { ReplayResult } from '@headrace/service-kit';
import { installationFolders } from '@headrace/embedded';
import { InvalidArgumentError, type Command } from 'commander';
import { readSystemFile, type Clients } from '../connection';
import { SERVICES } from '../local/system';
import { printRows } from '../output';
import { positiveNumber } from './arguments';
import { replayVersion, type ReplayVersionOptions } from './replay-version';

interface ReplayOptions {
  readonly group?: string;
  readonly into?: string;
  readonly fromTime?: string;
  readonly fromOffset: readonly string[];
  readonly to?: string;
  readonly dryRun: boolean;
  readonly compare: boolean;
  readonly replace: boolean;
  readonly drop: boolean;
  readonly json: boolean;
}

type Options = ReplayOptions & Omit<ReplayVersionOptions, 'endpoint'> & { readonly endpoint?: string };

/** Options that only one of the forms has, as they are written. */
const OF_SERVICES = ['group', 'into', 'fromOffset', 'dryRun', 'compare', 'replace', 'drop'] as const;
const OF_VERSIONS = ['version', 'since', 'slice', 'includeTraining', 'atLeast'] as const;

const EXAMPLES = `
Two forms:
  headrace replay monitoring --compare
      the state of a service once more from the log
  headrace replay --endpoint late-arrival --version 3 --since 7d --slice origin
      what version 3 would have answered to the requests of the last seven days whose labels have come
  headrace replay --endpoint late-arrival --version 3 --since 7d --at-least 0
      as a gate: exit code 2 unless it is surely no worse`;

export function addReplayCommand(
  program: Command,
  withClients: (work: (clients: Clients) => Promise<void>) => Promise<void>,
): void {
  const several = (one: string, all: readonly string[]): readonly string[] => [...all, one];
  program
    .command('replay [service]')
    .description(
      'rebuild the state of a service from the log, in a schema of its own; or, with --endpoint, ask a version what it ' +
        'would have answered to past requests. Nothing is published',
    )
    .option('--from-time <time>', 'service: events written since; endpoint: requests as of this time and later')
    .option('--to <time>', 'service: events written before this time, or now; endpoint: requests as of earlier times')
    .option('--json', '', false)
    .optionsGroup('Of a service:')
    .option('--group <group>', 'consumer group; needed when the service has several that can be replayed')
    .option('--into <schema>', 'default: <service>_replay')
    .option('--from-offset <topic:partition:offset>', 'where a partition begins; may be repeated', several, [])
    .option('--dry-run', 'show what would be read', false)
    .option('--compare', 'with the state of the running service; exit code 2 when it differs', false)
    .option('--replace', 'an earlier replay in this schema goes', false)
    .option('--drop', 'the schema goes at the end', false)
    .optionsGroup('Of an endpoint:')
    .option('--endpoint <name>', 'whose past requests')
    .option('--version <n>', 'any registered version of its model, also one that failed its gates', positiveNumber)
    .option('--since <duration>', 'such as 7d: so long before the newest labelled request')
    .option('--slice <name>', 'report by an entity, a request field or a feature, too; may be repeated', several, [])
    .option('--include-training', 'also requests of the time that the version was trained on', false)
    .option('--at-least <improvement>', 'exit code 2 unless the improvement is surely this or more', decimal)
    .addHelpText('after', EXAMPLES)
    .action(async (service: string | undefined, options: Options) => {
      const { endpoint } = options;
      if ((service === undefined) === (endpoint === undefined)) {
        throw new Error('expected either a service whose state is rebuilt, or --endpoint <name> (see replay --help)');
      }
      if (service !== undefined) {
        refuse(options, OF_VERSIONS, 'replay --endpoint <name>');
        process.exitCode = await replay(service, options);
        return;
      }
      refuse(options, OF_SERVICES, 'replay <service>');
      await withClients(async (clients) => {
        process.exitCode = await replayVersion(clients, { ...options, endpoint: endpoint ?? '' });
      });
    });
}

function refuse(options: Options, names: readonly (keyof Options)[], form: string): void {
  const given = names.filter((name) => {
    const value = options[name];
    return Array.isArray(value) ? value.length > 0 : value !== undefined && value !== false;
  });
  if (given.length === 0) return;
  const written = given.map((name) => `--${name.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)}`);
  throw new Error(`${written.join(', ')}: only for "headrace ${form}"`);
}

function decimal(text: string): number {
  const number = Number(text);
  if (text.trim() !== '' && Number.isFinite(number)) return number;
  throw new InvalidArgumentError('expected a number.');
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
  const { group, into, fromTime, fromOffset, to = 'now' } = options;
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
