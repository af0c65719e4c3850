// Letters of a group as the log tells them: each death opens one, its marker settles it.
import { DEAD_LETTER_HEADERS, SETTLED_HEADERS, type Asked, type SettledOutcome } from './dead-letters';
import { decode } from './envelope';
import { decodeRedrive, originalHeaders, type RedriveAction } from './redrive-command';
import { parseMicros } from './rfc3339';
import type { LogEvent, RawRecord } from './types';

/** One event that a group could not accept. */
export interface Letter {
  /** Of this death. Empty when it was written before letters had one: those cannot be redriven. */
  readonly id: string;
  readonly group: string;
  /** As it stood on its own topic. */
  readonly record: RawRecord;
  /** The same, when it can be read as an event of the catalogue. */
  readonly event: LogEvent | undefined;
  /** See DeadLetterReason. */
  readonly reason: string;
  readonly code: string;
  readonly message: string;
  readonly stack: string | undefined;
  /** Microseconds since the epoch. */
  readonly diedAtMicros: number;
  /** How often the event has died. */
  readonly attempt: number;
  /** Later events of its key wait until it is settled. */
  readonly keyParked: boolean;
  readonly state: LetterState;
}

export type LetterState =
  | { readonly kind: 'open' }
  /** A command stands on the redrive topic; the group has not done it yet. */
  | ({ readonly kind: 'asked'; readonly action: RedriveAction } & Asked)
  | ({ readonly kind: SettledOutcome; readonly settledAtMicros: number } & Asked);

export class DeadLetterFold {
  private readonly letters = new Map<string, Letter>();
  /** By letter: commands may be read before it. */
  private readonly asked = new Map<string, Extract<LetterState, { kind: 'asked' }>>();

  /** The latest death of each event, settled or not. */
  all(): Letter[] {
    return [...this.letters.values()].map((letter) => {
      const asked = letter.state.kind === 'open' ? this.asked.get(letter.id) : undefined;
      return asked ? { ...letter, state: asked } : letter;
    });
  }

  /** A record of a dead-letter topic, in the order of the log. False when it is neither letter nor marker. */
  add(record: RawRecord): boolean {
    const origin = originOf(record);
    if (!origin) return false;
    const key = `${origin.group} ${origin.topic}/${origin.partition}/${origin.offset}`;
    const known = this.letters.get(key);
    const id = textOf(record, DEAD_LETTER_HEADERS.id);
    const outcome = textOf(record, SETTLED_HEADERS.outcome);
    if (outcome === 'redriven' || outcome === 'dropped') {
      if (known?.id === id) this.letters.set(key, { ...known, state: settledState(outcome, record) });
      return true;
    }
    // The relay may publish a letter twice, the second time behind its marker.
    if (known === undefined || known.id !== id || id === '') this.letters.set(key, letterOf(id, origin, record));
    return true;
  }

  /** A record of a redrive topic. */
  addCommand(record: RawRecord): void {
    const command = decodeRedrive(record);
    // The first one counts: the group obeys no other.
    if ('fault' in command || this.asked.has(command.letterId)) return;
    const { action, by, reason, atMicros } = command;
    this.asked.set(command.letterId, { kind: 'asked', action, by, reason, atMicros });
  }
}

interface Origin {
  readonly group: string;
  readonly topic: string;
  readonly partition: number;
  readonly offset: number;
}

function originOf(record: RawRecord): Origin | undefined {
  const names = DEAD_LETTER_HEADERS;
  const [group, topic] = [textOf(record, names.group), textOf(record, names.topic)];
  const [partition, offset] = [Number(textOf(record, names.partition)), Number(textOf(record, names.offset))];
  const isWhole = Number.isSafeInteger(partition) && Number.isSafeInteger(offset);
  return group === '' || topic === '' || !isWhole ? undefined : { group, topic, partition, offset };
}

function letterOf(id: string, { group, topic, partition, offset }: Origin, record: RawRecord): Letter {
  const names = DEAD_LETTER_HEADERS;
  const { [names.stack]: stack, [names.timestamp]: timestamp } = record.headers;
  const original: RawRecord = {
    topic,
    partition,
    offset,
    timestampMs: timestamp === undefined ? record.timestampMs : Number(timestamp.toString('utf8')),
    key: record.key,
    value: record.value,
    headers: originalHeaders(record.headers),
  };
  const decoded = decode(original);
  return {
    id,
    group,
    record: original,
    event: decoded.kind === 'event' ? decoded.event : undefined,
    reason: textOf(record, names.reason),
    code: textOf(record, names.code),
    message: textOf(record, names.message),
    stack: stack?.toString('utf8'),
    diedAtMicros: parseMicros(textOf(record, names.time)) ?? record.timestampMs * 1000,
    attempt: Number(textOf(record, names.attempt) || 1),
    keyParked: textOf(record, names.keyParked) === 'true',
    state: { kind: 'open' },
  };
}

function settledState(kind: SettledOutcome, record: RawRecord): LetterState {
  return {
    kind,
    by: textOf(record, SETTLED_HEADERS.by),
    reason: textOf(record, SETTLED_HEADERS.reason),
    atMicros: parseMicros(textOf(record, SETTLED_HEADERS.askedAt)) ?? 0,
    settledAtMicros: parseMicros(textOf(record, DEAD_LETTER_HEADERS.time)) ?? record.timestampMs * 1000,
  };
}

function textOf(record: RawRecord, name: string): string {
  return record.headers[name]?.toString('utf8') ?? '';
}
