// Handles the records of one slice inside one transaction. Throws Undone when the transaction must not commit.
import type { QueryRunner } from 'typeorm';
import { deadLetterRow, type DeadLetter } from './dead-letters';
import type { GroupContext } from './group-context';
import type { Answer } from './handler-call';
import { HandlerTransaction } from './handler-transaction';
import { argumentOf, nameOf, type Handled, type Item } from './items';
import { recordLetter } from './letter-table';
import { metrics } from './metrics';
import { Observations } from './observations';
import type { OutboxEvent } from './outbox';
import { park } from './parked';
import type { LockedPosition, Needs, PartitionId, Sequences } from './positions';
import { obey } from './redrive';
import { keyOf } from './stored-record';
import { tracedCall } from './traced-call';
import type { Outcome, RawRecord } from './types';

export type Failure =
  | { readonly kind: 'rejected'; readonly letter: DeadLetter }
  | { readonly kind: 'not-yet'; readonly waitsFor: string }
  | { readonly kind: 'transient'; readonly message: string }
  | { readonly kind: 'fault'; readonly letter: DeadLetter };

/** Rolls the transaction back. `offset` is the record at fault; undefined when one of `among` is, or nobody knows. */
export class Undone extends Error {
  constructor(
    readonly failure: Failure,
    readonly offset: number | undefined,
  ) {
    super(failure.kind);
  }
}

export class Handling {
  readonly outgoing: OutboxEvent[] = [];
  readonly observations: Observations;
  private readonly news = new Map<string, number>();

  constructor(
    private readonly context: GroupContext,
    private readonly runner: QueryRunner,
    private readonly id: PartitionId,
  ) {
    const { settled } = context;
    this.observations = new Observations(
      context.group,
      settled && ((type, outcome, count) => settled(id.topic, type, outcome, count)),
    );
  }

  /** Sequences to write with the position. */
  get sequences(): Sequences {
    return this.news;
  }

  /** `classified` is what the position was locked with (see needsOf). */
  async handle(classified: readonly Item[], { seen, blocked }: LockedPosition): Promise<void> {
    const items = this.dropRepeats(classified, seen);
    let index = 0;
    while (index < items.length) {
      const item = items[index];
      if (!item) break;
      if (item.kind === 'skip') {
        this.observations.settled(nameOf(item), 'skipped');
        index += 1;
      } else if (item.route?.deadLetter === 'park-key' && blocked.has(keyOf(item.record).toString('latin1'))) {
        await this.parkBehind(item.record, nameOf(item));
        index += 1;
      } else if (item.kind === 'redrive') {
        await obey(this.context, this.runner, item.command, this);
        index += 1;
      } else if (item.kind === 'dead') {
        if (item.route?.deadLetter === 'park-key') {
          throw new Undone({ kind: 'rejected', letter: item.letter }, item.record.offset);
        }
        await this.deadLetter(item.record, nameOf(item), item.letter, false);
        index += 1;
      } else {
        const run = item.route.kind === 'event' ? [item] : runFrom(items, index, blocked);
        await this.call(run);
        index += run.length;
      }
    }
  }

  /** `keyParked`: later events of the key wait until this one is redriven or dropped. */
  async deadLetter(record: RawRecord, type: string, letter: DeadLetter, keyParked: boolean): Promise<void> {
    const died = await recordLetter(this.runner, this.id, record.offset);
    this.outgoing.push(deadLetterRow(record, this.context.group, letter, { ...died, keyParked }));
    this.observations.deadLettered(type, letter.reason);
    this.context.logger.warn(
      { ...this.id, offset: record.offset, type, reason: letter.reason, code: letter.code, fault: letter.message },
      'event dead-lettered',
    );
  }

  async parkWaiting(item: Handled, waitsFor: string): Promise<void> {
    const expiresAtMs = Date.now() + item.route.notYetExpiryMs;
    const blocksKey = item.route.deadLetter === 'park-key';
    await park(this.runner, this.context.group, {
      record: item.record,
      state: 'waiting',
      blocksKey,
      waitsFor,
      expiresAtMs,
    });
    this.observations.settled(item.route.name, 'not-yet');
  }

  private async parkBehind(record: RawRecord, type: string): Promise<void> {
    await park(this.runner, this.context.group, {
      record,
      state: 'behind',
      blocksKey: true,
      waitsFor: 'an earlier event of its key',
      expiresAtMs: undefined,
    });
    this.observations.settled(type, 'behind');
  }

  private async call(run: readonly Handled[]): Promise<void> {
    const first = run[0];
    if (!first) return;
    const { route } = first;
    const single = route.kind === 'event';
    const cause = single && first.kind === 'event' ? first.event : undefined;
    const transaction = new HandlerTransaction(this.runner, this.context.service, cause, this.outgoing);
    const answer = await timed(this.context.group, route.name, () =>
      tracedCall(this.context, run, {
        route,
        argument: single ? argumentOf(first) : run.map(argumentOf),
        count: run.length,
        transaction,
        runner: this.runner,
        deadlineMs: this.context.tuning.handlerDeadlineMs,
      }),
    );
    if (answer.kind !== 'answered') {
      throw new Undone(failureOf(answer), run.length === 1 ? first.record.offset : undefined);
    }
    for (const [index, outcome] of answer.outcomes.entries()) {
      const item = run[index];
      if (item) await this.settle(item, outcome);
    }
  }

  /** Batch handlers wrote nothing for what they refuse, so it can be settled in place; else the record goes alone. */
  private async settle(item: Handled, outcome: Outcome): Promise<void> {
    if (outcome.kind === 'done') {
      if (item.kind === 'event') this.observations.done(item.route.name, item.event);
      else this.observations.settled(item.route.name, 'done');
      return;
    }
    const inPlace = item.route.kind !== 'event' && item.route.deadLetter === 'reorder-safe';
    const failure = failureOfOutcome(outcome);
    if (!inPlace || failure.kind === 'transient' || failure.kind === 'fault')
      throw new Undone(failure, item.record.offset);
    if (failure.kind === 'rejected') await this.deadLetter(item.record, item.route.name, failure.letter, false);
    else await this.parkWaiting(item, failure.waitsFor);
  }

  /** Passed without its effects, which were undone or wait: it shall be known when it is published again. */
  passed(item: Item): void {
    if (item.kind === 'event') this.news.set(item.event.producer.shard, item.event.producer.sequence);
  }

  private dropRepeats(items: readonly Item[], seen: Sequences): Item[] {
    return items.filter((item) => {
      if (item.kind !== 'event') return true;
      const { shard, sequence } = item.event.producer;
      const last = this.news.get(shard) ?? seen.get(shard);
      if (last !== undefined && sequence <= last) {
        this.observations.settled(item.route.name, 'repeat');
        return false;
      }
      this.news.set(shard, sequence);
      return true;
    });
  }
}

/** What handling these asks of the database, to be read with the position. */
export function needsOf(items: readonly Item[]): Needs {
  const shards = new Set<string>();
  const keys = new Map<string, Buffer>();
  for (const item of items) {
    if (item.kind === 'event') shards.add(item.event.producer.shard);
    if (item.kind === 'skip' || item.route?.deadLetter !== 'park-key') continue;
    const key = keyOf(item.record);
    keys.set(key.toString('latin1'), key);
  }
  return { shards: [...shards], keys: [...keys.values()] };
}

/** Consecutive items of one batch handler. */
function runFrom(items: readonly Item[], from: number, blocked: ReadonlySet<string>): Handled[] {
  const run: Handled[] = [];
  let route: Handled['route'] | undefined;
  for (const item of items.slice(from)) {
    if (item.kind !== 'event' && item.kind !== 'record') break;
    route ??= item.route;
    if (item.route !== route) break;
    if (route.deadLetter === 'park-key' && blocked.has(keyOf(item.record).toString('latin1'))) break;
    run.push(item);
  }
  return run;
}

async function timed<R>(group: string, type: string, work: () => Promise<R>): Promise<R> {
  const stop = metrics.handling.startTimer({ group, type });
  try {
    return await work();
  } finally {
    stop();
  }
}

export function failureOf(answer: Exclude<Answer, { kind: 'answered' }>): Failure {
  if (answer.kind === 'transient') return answer;
  const { reason, code, message, stack } = answer;
  return { kind: 'fault', letter: { reason, code, message, stack } };
}

export function failureOfOutcome(outcome: Exclude<Outcome, { kind: 'done' }>): Failure {
  switch (outcome.kind) {
    case 'rejected':
      return { kind: 'rejected', letter: { reason: 'rejected', code: outcome.code, message: outcome.message } };
    case 'not-yet':
      return { kind: 'not-yet', waitsFor: outcome.waitsFor };
    case 'transient':
      return { kind: 'transient', message: outcome.message };
    default:
      throw new TypeError(`unknown outcome ${JSON.stringify(outcome)}`);
  }
}
