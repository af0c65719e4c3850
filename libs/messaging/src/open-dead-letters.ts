// Dead letters of all groups from outside a service, for command-line tools: reading them, and asking for their repair.
import { redriveTopicOf } from '@headrace/contracts';
import { DeadLetterFold, type Letter } from './dead-letter-fold';
import type { Brokers, EventLog } from './log/port';
import { readRanges } from './log-reader-range';
import { LogWriter } from './log-writer';
import { silentLogger } from './logger';
import { openLog } from './open-log';
import { redriveMessage, type RedriveAction } from './redrive-command';
import { nowMicros } from './rfc3339';
import type { RawRecord } from './types';

export interface DeadLetters {
  /**
   * The latest death of every event, in the events' order (group, topic, partition, offset), settled ones too. Calling
   * again reads only what is new. `group`: of that one alone.
   */
  read(group?: string): Promise<Letter[]>;
  /**
   * Asks each letter's group to redrive or drop it, in the order of the events, and resolves when Kafka has all commands;
   * `read` tells what became of them. Asking twice does it once. Throws before anything is written when `by` or the
   * reason of a drop is empty, or a letter is settled, was asked about, or has no id.
   */
  ask(letters: readonly Letter[], what: RedriveRequest): Promise<void>;
  close(): Promise<void>;
}

export interface RedriveRequest {
  readonly action: RedriveAction;
  /** Who decided it: stands in the log with what became of the letter. */
  readonly by: string;
  readonly reason: string;
}

/** Readers at the same time; each joins a group of its own. */
const READERS = 8;

export function openDeadLetters(options: {
  /** host:port[,host:port] */
  readonly brokers: string;
  readonly clientId: string;
}): DeadLetters {
  return new DeadLetterLog(options.brokers.split(','), options.clientId);
}

class DeadLetterLog implements DeadLetters {
  private readonly log: EventLog;
  private readonly writer: LogWriter;
  private readonly fold = new DeadLetterFold();
  /** Where reading goes on, by topic and partition. */
  private readonly next = new Map<string, number>();

  constructor(
    brokers: Brokers,
    private readonly clientId: string,
  ) {
    this.log = openLog(brokers, clientId, silentLogger);
    this.writer = new LogWriter(this.log);
  }

  async read(group?: string): Promise<Letter[]> {
    const topics = [...(await this.log.topicNames())].sort();
    const dlqs = topics.filter((topic) => topic.endsWith(group === undefined ? '.dlq' : `.${group}.dlq`));
    const redrives = topics.filter((topic) =>
      group === undefined ? topic.endsWith('.redrive') : topic === redriveTopicOf(group),
    );
    // Commands first: a letter that they answer must not look open.
    await inTurns(redrives, (topic) => this.follow(topic, (record) => this.fold.addCommand(record)));
    await inTurns(dlqs, (topic) => this.follow(topic, (record) => void this.fold.add(record)));
    const letters = this.fold.all();
    return letters.filter((letter) => group === undefined || letter.group === group).sort(byOrigin);
  }

  async ask(letters: readonly Letter[], { action, by, reason }: RedriveRequest): Promise<void> {
    if (by === '') throw new RangeError('by: who asks for it must be said');
    if (action === 'drop' && reason === '') throw new RangeError('reason: why a letter is dropped must be said');
    if (`${by}${reason}`.includes('\0')) throw new RangeError('by, reason: a NUL character cannot be kept');
    for (const letter of letters) mustBeOpen(letter);
    const atMicros = nowMicros();
    await this.writer.write(
      [...letters]
        .sort(byOrigin)
        .map(({ id, group, record }) => redriveMessage(group, { action, letterId: id, record, by, reason, atMicros })),
    );
  }

  async close(): Promise<void> {
    await this.writer.close();
    await this.log.close();
  }

  private async follow(topic: string, take: (record: RawRecord) => void): Promise<void> {
    const ranges = new Map<number, { from: number; to: number }>();
    for (const { partition, low, high } of await this.log.offsets(topic)) {
      const from = Math.max(low, this.next.get(`${topic}/${partition}`) ?? 0);
      if (from < high) ranges.set(partition, { from, to: high });
    }
    if (ranges.size === 0) return;
    await readRanges({
      log: this.log,
      service: this.clientId,
      topic,
      ranges,
      decode: (record) => record,
      onBatch: (records) => {
        for (const record of records) {
          take(record);
          this.next.set(`${topic}/${record.partition}`, record.offset + 1);
        }
      },
    });
  }
}

function mustBeOpen(letter: Letter): void {
  const { group, record, state } = letter;
  const name = `${record.topic}/${record.partition}/${record.offset} of group ${group}`;
  if (letter.id === '') throw new RangeError(`${name} was dead-lettered before letters could be redriven`);
  if (record.topic === redriveTopicOf(group)) throw new RangeError(`${name} is itself a command that nobody can read`);
  if (state.kind === 'open') return;
  const what = state.kind === 'asked' ? `is already asked for (${state.action})` : `was ${state.kind}`;
  throw new RangeError(`${name} ${what} by ${state.by}`);
}

function byOrigin(a: Letter, b: Letter): number {
  return (
    compare(a.group, b.group) ||
    compare(a.record.topic, b.record.topic) ||
    a.record.partition - b.record.partition ||
    a.record.offset - b.record.offset
  );
}

function compare(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}

async function inTurns(topics: readonly string[], work: (topic: string) => Promise<void>): Promise<void> {
  for (let begin = 0; begin < topics.length; begin += READERS) {
    await Promise.all(topics.slice(begin, begin + READERS).map(work));
  }
}
