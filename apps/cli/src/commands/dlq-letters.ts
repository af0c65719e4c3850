// Which letters a command means, and how they are shown.
import { eventsByType } from '@headrace/contracts';
import { formatTime, nowMicros, parseDuration, parseTime } from '@headrace/event-time';
import type { Letter } from '@headrace/messaging';

/** As given on the command line. */
export interface LetterFilter {
  readonly group?: string;
  readonly topic?: string;
  readonly cause?: string;
  readonly key?: string;
  readonly since?: string;
  readonly until?: string;
}

export interface EventPlace {
  readonly topic: string;
  readonly partition: number;
  readonly offset: number;
}

/** `<topic>/<partition>/<offset>`, as `list` shows it. */
export function parsePlace(text: string): EventPlace {
  const match = /^([\w.-]+)\/(\d+)\/(\d+)$/.exec(text);
  if (!match) throw new Error(`"${text}": expected <topic>/<partition>/<offset> of the event, as "dlq list" shows it`);
  return { topic: match[1] ?? '', partition: Number(match[2]), offset: Number(match[3]) };
}

export function placeOf({ record }: Letter): string {
  return `${record.topic}/${record.partition}/${record.offset}`;
}

/** A letter still has to be settled by a person. */
export function isOpen({ state }: Letter): boolean {
  return state.kind === 'open' || state.kind === 'asked';
}

/** Throws on a time that is none. */
export function select(letters: readonly Letter[], filter: LetterFilter, place?: EventPlace): Letter[] {
  const since = filter.since === undefined ? -Infinity : momentOf('--since', filter.since);
  const until = filter.until === undefined ? Infinity : momentOf('--until', filter.until);
  return letters.filter(
    (letter) =>
      (filter.group === undefined || letter.group === filter.group) &&
      (filter.topic === undefined || letter.record.topic === filter.topic) &&
      (filter.cause === undefined || letter.reason === filter.cause || letter.code === filter.cause) &&
      (filter.key === undefined || keyOf(letter) === filter.key) &&
      letter.diedAtMicros >= since &&
      letter.diedAtMicros < until &&
      (place === undefined || placeOf(letter) === `${place.topic}/${place.partition}/${place.offset}`),
  );
}

/** A time, or how long ago. */
function momentOf(option: string, text: string): number {
  const time = parseTime(text);
  if (time !== undefined) return time;
  try {
    return nowMicros() - parseDuration(text);
  } catch {
    throw new Error(`${option} "${text}": expected a time such as 2026-01-31T12:00:00Z, or how long ago, such as 2h`);
  }
}

/** As text where it is text, else in hexadecimal digits. */
export function keyOf({ record }: Letter): string {
  if (record.key === null) return '';
  const text = record.key.toString('utf8');
  return Buffer.from(text, 'utf8').equals(record.key) ? text : `0x${record.key.toString('hex')}`;
}

export function typeOf(letter: Letter): string {
  return letter.record.headers['ce_type']?.toString('utf8').split('.').at(-1) ?? '';
}

/** Keys that nothing passes until their letter is settled. */
export function parkedKeys(letters: readonly Letter[]): string[] {
  const keys = letters.filter((letter) => letter.keyParked && isOpen(letter)).map((letter) => keyOf(letter));
  return [...new Set(keys)].sort();
}

export function rowOf(letter: Letter) {
  return {
    died: formatTime(letter.diedAtMicros).slice(0, 19),
    group: letter.group,
    event: placeOf(letter),
    key: keyOf(letter),
    type: typeOf(letter),
    reason: letter.reason,
    code: letter.code,
    deaths: letter.attempt,
    'key parked': letter.keyParked && isOpen(letter) ? 'yes' : '',
    state: stateOf(letter),
  };
}

export function stateOf({ state }: Letter): string {
  if (state.kind === 'open') return 'open';
  if (state.kind === 'asked') return `${state.action} asked by ${state.by}`;
  return `${state.kind} by ${state.by}`;
}

/** By group, topic and reason. */
export function countsOf(letters: readonly Letter[]) {
  const groups = new Map<string, Letter[]>();
  for (const letter of letters) {
    const name = `${letter.group} ${letter.record.topic} ${letter.reason}`;
    groups.set(name, [...(groups.get(name) ?? []), letter]);
  }
  return [...groups.values()].map((same) => ({
    group: same[0]?.group ?? '',
    topic: same[0]?.record.topic ?? '',
    reason: same[0]?.reason ?? '',
    letters: same.length,
    open: same.filter(isOpen).length,
    'parked keys': parkedKeys(same).length,
  }));
}

/** Everything that is known of one letter. */
export function detailOf(letter: Letter): Record<string, unknown> {
  const { record, event, state } = letter;
  return {
    event: placeOf(letter),
    group: letter.group,
    key: keyOf(letter),
    state: stateOf(letter),
    ...(state.kind === 'open' ? {} : { asked: formatTime(state.atMicros), askedReason: state.reason }),
    died: formatTime(letter.diedAtMicros),
    deaths: letter.attempt,
    reason: letter.reason,
    code: letter.code,
    message: letter.message,
    keyParked: letter.keyParked && isOpen(letter),
    ...(letter.stack === undefined ? {} : { stack: letter.stack }),
    headers: Object.fromEntries(Object.entries(record.headers).map(([name, value]) => [name, value.toString('utf8')])),
    written: new Date(record.timestampMs).toISOString(),
    ...(event === undefined
      ? { bytes: record.value?.toString('base64') ?? null }
      : { data: eventsByType.get(event.type)?.codec.toJSON(event.data) }),
  };
}
