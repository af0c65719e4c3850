// Dead letters: seen, redriven and dropped, all through the log.
import { hostname, userInfo } from 'node:os';
import { setTimeout as sleep } from 'node:timers/promises';
import { openDeadLetters, type DeadLetters, type Letter, type RedriveAction } from '@headrace/messaging';
import type { Command } from 'commander';
import { connect, type Connection } from '../connection';
import { printRows } from '../output';
import { positiveNumber, seconds } from './arguments';
import {
  countsOf,
  detailOf,
  isOpen,
  keyOf,
  parkedKeys,
  parsePlace,
  placeOf,
  rowOf,
  select,
  stateOf,
  type LetterFilter,
} from './dlq-letters';

const POLL_MS = 300;

export function addDlqCommands(program: Command): void {
  const dlq = program.command('dlq').description('dead letters: what a service could not accept');
  filtered(dlq.command('list').description('letters that wait for a decision, and the keys parked behind them'))
    .option('--settled', 'also those that were redriven or dropped', false)
    .option('--last <n>', 'rows of the table, the last to die', positiveNumber, 50)
    .option('--json')
    .action((options: ListOptions) => listLetters(connect(process.env), options));
  dlq
    .command('show <event>')
    .description('one letter with reason, stack, headers and decoded event; event: <topic>/<partition>/<offset>')
    .option('--group <group>', 'consumer group, when several refused the event')
    .option('--json')
    .action((event: string, options: { group?: string; json?: true }) =>
      showLetter(connect(process.env), event, options),
    );
  repairing(dlq.command('redrive [event]').description('hand letters to their handler again, in their original order'))
    .option('--reason <text>', 'why, for the record', '')
    .action((event: string | undefined, options: RepairOptions) =>
      repair(connect(process.env), 'redrive', event, options),
    );
  repairing(dlq.command('drop [event]').description('give letters up; keys parked behind them go on'))
    .requiredOption('--reason <text>', 'why, for the record')
    .action((event: string | undefined, options: RepairOptions) =>
      repair(connect(process.env), 'drop', event, options),
    );
}

function filtered(command: Command): Command {
  return command
    .option('--group <group>', 'consumer group')
    .option('--topic <topic>', 'topic of the event')
    .option('--cause <reason>', 'why it died: reason or code')
    .option('--key <key>', 'key of the event')
    .option('--since <time>', 'died at or after this time, or so long ago (2h)')
    .option('--until <time>', 'died before this time, or longer ago than this');
}

function repairing(command: Command): Command {
  return filtered(command)
    .option('--all', 'every open letter: needed when nothing else selects', false)
    .option('--dry-run', 'show what would happen', false)
    .option('--by <name>', 'who decides', `${userInfo().username}@${hostname()}`)
    .option('--wait <seconds>', 'how long to wait until it is done', seconds, 30)
    .option('--json');
}

export interface ListOptions extends LetterFilter {
  readonly settled: boolean;
  /** Rows of the table; JSON has all. */
  readonly last: number;
  readonly json?: true;
}

export interface RepairOptions extends LetterFilter {
  readonly reason: string;
  readonly by: string;
  readonly all: boolean;
  readonly dryRun: boolean;
  /** Seconds. */
  readonly wait: number;
  readonly json?: true;
}

export async function listLetters(connection: Connection, options: ListOptions): Promise<void> {
  select([], options); // a wrong time is named before anything is read
  await withDeadLetters(connection, async (deadLetters) => {
    const found = select(await deadLetters.read(options.group), options).filter(
      (letter) => options.settled || isOpen(letter),
    );
    if (options.json) {
      print({ counts: countsOf(found), letters: found.map(rowOf) });
      return;
    }
    const latest = [...found].sort((a, b) => a.diedAtMicros - b.diedAtMicros).slice(-options.last);
    printRows(countsOf(found), false);
    if (found.length === 0) return;
    process.stdout.write('\n');
    printRows(latest.map(rowOf), false);
    if (latest.length < found.length) process.stdout.write(`the last ${latest.length} of ${found.length}\n`);
    const parked = parkedKeys(found);
    if (parked.length > 0) process.stdout.write(`parked keys: ${parked.join(', ')}\n`);
  });
}

export async function showLetter(
  connection: Connection,
  event: string,
  options: { readonly group?: string; readonly json?: true },
): Promise<void> {
  const place = parsePlace(event);
  await withDeadLetters(connection, async (deadLetters) => {
    const found = select(await deadLetters.read(options.group), options, place);
    if (found.length === 0) throw new Error(`no group dead-lettered ${event}`);
    if (options.json) print(found.map(detailOf));
    else for (const letter of found) process.stdout.write(`${textOf(detailOf(letter))}\n`);
  });
}

/** Exit code 2 when a letter died again or is not settled within the wait. */
export async function repair(
  connection: Connection,
  action: RedriveAction,
  event: string | undefined,
  options: RepairOptions,
): Promise<void> {
  const { group, topic, cause, key, since, until } = options;
  const selected = [event, group, topic, cause, key, since, until].some((option) => option !== undefined);
  if (!selected && !options.all) {
    throw new Error('which letters? give an event, or --group, --topic, --cause, --key, --since, --until, or --all');
  }
  const place = event === undefined ? undefined : parsePlace(event);
  select([], options);
  await withDeadLetters(connection, async (deadLetters) => {
    const found = select(await deadLetters.read(group), options, place);
    const open = found.filter(({ state }) => state.kind === 'open');
    const other = found.find(({ state }) => state.kind !== 'open');
    if (place && open.length === 0) {
      throw new Error(other ? `${event}: ${stateOf(other)}` : `no group dead-lettered ${event}`);
    }
    if (place && open.length > 1) {
      throw new Error(`${event} was refused by ${open.map((one) => one.group).join(', ')}: choose one with --group`);
    }
    if (options.dryRun) {
      report(
        open.map((letter) => outcomeRow(letter, `would be ${PAST[action]}`)),
        options,
      );
      if (!options.json) summarise(open, action, 'would be');
      return;
    }
    await deadLetters.ask(open, { action, by: options.by, reason: options.reason });
    const outcomes = await outcomesOf(deadLetters, open, options);
    report(
      outcomes.map(({ letter, outcome }) => outcomeRow(letter, outcome)),
      options,
    );
    const done = outcomes.filter(({ outcome }) => outcome === PAST[action]).map(({ letter }) => letter);
    if (!options.json) summarise(done, action, 'now');
    if (done.length < open.length) process.exitCode = 2;
  });
}

const PAST = { redrive: 'redriven', drop: 'dropped' } as const;

function outcomeRow(letter: Letter, outcome: string) {
  const { died, group, event, key, type, reason } = rowOf(letter);
  return { event, group, key, type, died, reason, 'key parked': letter.keyParked ? 'yes' : '', outcome };
}

function report(rows: readonly Record<string, string>[], options: RepairOptions): void {
  printRows(rows, options.json === true);
}

function summarise(letters: readonly Letter[], action: RedriveAction, tense: 'would be' | 'now'): void {
  const freed = [...new Set(letters.filter((letter) => letter.keyParked).map(keyOf))].sort();
  process.stdout.write(`${letters.length} ${tense} ${PAST[action]}\n`);
  if (freed.length > 0)
    process.stdout.write(`parked keys that ${tense === 'now' ? 'are' : tense} freed: ${freed.join(', ')}\n`);
}

/** What became of each letter, as far as it is known when the wait ends. */
async function outcomesOf(
  deadLetters: DeadLetters,
  asked: readonly Letter[],
  options: RepairOptions,
): Promise<{ letter: Letter; outcome: string }[]> {
  const deadline = Date.now() + options.wait * 1000;
  for (;;) {
    const now = new Map((await deadLetters.read(options.group)).map((one) => [`${one.group} ${placeOf(one)}`, one]));
    const outcomes = asked.map((letter) => {
      const latest = now.get(`${letter.group} ${placeOf(letter)}`);
      return { letter, outcome: latest ? outcomeOf(letter, latest) : PENDING };
    });
    if (Date.now() >= deadline || outcomes.every(({ outcome }) => outcome !== PENDING)) return outcomes;
    await sleep(POLL_MS);
  }
}

const PENDING = 'not done yet';

function outcomeOf(asked: Letter, latest: Letter): string {
  if (latest.id !== asked.id) return `died again: ${latest.reason}, ${latest.message}`;
  return isOpen(latest) ? PENDING : latest.state.kind;
}

async function withDeadLetters(
  connection: Connection,
  work: (deadLetters: DeadLetters) => Promise<void>,
): Promise<void> {
  const deadLetters = openDeadLetters({ brokers: connection.kafka(), clientId: 'headrace-cli' });
  try {
    await work(deadLetters);
  } finally {
    await deadLetters.close();
  }
}

function print(value: unknown): void {
  process.stdout.write(`${JSON.stringify(value, null, 2)}\n`);
}

/** One line a field; what has several lines stands below its name. */
function textOf(detail: Record<string, unknown>): string {
  return Object.entries(detail)
    .map(([name, value]) => {
      const text = typeof value === 'string' ? value : JSON.stringify(value, null, 2);
      return text.includes('\n') ? `${name}:\n  ${text.replaceAll('\n', '\n  ')}` : `${name}: ${text}`;
    })
    .join('\n');
}
