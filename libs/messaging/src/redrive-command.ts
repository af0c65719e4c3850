// What a person asks a group to do with one letter, as it stands on `<group>.redrive`.
import { redriveTopicOf } from '@headrace/contracts';
import { DEAD_LETTER_HEADERS, type Asked } from './dead-letters';
import type { LogMessage } from './log/port';
import { formatMicros, parseMicros } from './rfc3339';
import type { RawRecord } from './types';

/** `redrive`: hand it to the handler once more. `drop`: give it up, and let its key go on. */
export type RedriveAction = 'redrive' | 'drop';

export interface RedriveCommand extends Asked {
  readonly action: RedriveAction;
  readonly letterId: string;
  /** The original. Of a dropped one only its place and key matter. */
  readonly record: RawRecord;
}

/** Headers added to the original ones. */
const HEADERS = {
  action: 'redrive_action',
  letter: 'redrive_letter',
  topic: 'redrive_topic',
  partition: 'redrive_partition',
  offset: 'redrive_offset',
  timestamp: 'redrive_timestamp',
  by: 'redrive_by',
  reason: 'redrive_reason',
  time: 'redrive_time',
} as const;

export function redriveMessage(group: string, command: RedriveCommand): LogMessage {
  const { action, letterId, record, by, reason, atMicros } = command;
  return {
    topic: redriveTopicOf(group),
    key: record.key,
    value: action === 'drop' ? null : record.value,
    headers: {
      ...(action === 'drop' ? {} : record.headers),
      [HEADERS.action]: action,
      [HEADERS.letter]: letterId,
      [HEADERS.topic]: record.topic,
      [HEADERS.partition]: String(record.partition),
      [HEADERS.offset]: String(record.offset),
      [HEADERS.timestamp]: String(record.timestampMs),
      [HEADERS.by]: by,
      [HEADERS.reason]: reason,
      [HEADERS.time]: formatMicros(atMicros),
    },
  };
}

/** The fault names the header. */
export function decodeRedrive(record: RawRecord): RedriveCommand | { readonly fault: string } {
  try {
    const action = text(record, HEADERS.action);
    if (action !== 'redrive' && action !== 'drop') {
      throw new RangeError(`header ${HEADERS.action}: expected redrive or drop, got "${action}"`);
    }
    const atMicros = parseMicros(text(record, HEADERS.time));
    if (atMicros === undefined) throw new RangeError(`header ${HEADERS.time}: expected an RFC 3339 time`);
    return {
      action,
      letterId: text(record, HEADERS.letter),
      by: text(record, HEADERS.by),
      reason: optionalText(record, HEADERS.reason),
      atMicros,
      record: {
        topic: text(record, HEADERS.topic),
        partition: whole(record, HEADERS.partition),
        offset: whole(record, HEADERS.offset),
        timestampMs: whole(record, HEADERS.timestamp),
        key: record.key,
        value: record.value,
        headers: without(record.headers, Object.values(HEADERS)),
      },
    };
  } catch (error) {
    return { fault: error instanceof Error ? error.message : String(error) };
  }
}

/** The original headers of a letter: what was added to say why it died is taken off. */
export function originalHeaders(headers: RawRecord['headers']): RawRecord['headers'] {
  return without(headers, Object.values(DEAD_LETTER_HEADERS));
}

function without(headers: RawRecord['headers'], names: readonly string[]): RawRecord['headers'] {
  // A stranger named the headers: none of them may meet a prototype.
  const kept = Object.create(null) as Record<string, Buffer>;
  for (const [name, value] of Object.entries(headers)) if (!names.includes(name)) kept[name] = value;
  return kept;
}

function text(record: RawRecord, name: string): string {
  const value = optionalText(record, name);
  if (value === '') throw new RangeError(`header ${name}: missing or empty`);
  return value;
}

function optionalText(record: RawRecord, name: string): string {
  const value = record.headers[name]?.toString('utf8') ?? '';
  if (value.includes('\0')) throw new RangeError(`header ${name}: holds a NUL character`);
  return value;
}

function whole(record: RawRecord, name: string): number {
  const value = Number(text(record, name));
  if (!Number.isSafeInteger(value) || value < 0) throw new RangeError(`header ${name}: expected a whole number from 0`);
  return value;
}
