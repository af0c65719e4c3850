// What stands on `<topic>.<group>.dlq`: letters, and markers that say what became of one.
import { deadLetterTopicOf } from '@headrace/contracts';
import type { OutboxEvent } from './outbox';
import { HeaderBlock } from './record-bytes';
import { formatMicros, nowMicros } from './rfc3339';
import type { RawRecord } from './types';

/** Bounded: also the `reason` label of the metric. */
export type DeadLetterReason = 'rejected' | 'undecodable' | 'unknown_type' | 'expired' | 'fault' | 'deadline';

export interface DeadLetter {
  readonly reason: DeadLetterReason;
  /** Stable snake_case. */
  readonly code: string;
  readonly message: string;
  readonly stack?: string;
}

/** Headers added to the original ones, which stay as they were. */
export const DEAD_LETTER_HEADERS = {
  reason: 'dlq_reason',
  code: 'dlq_code',
  message: 'dlq_message',
  stack: 'dlq_stack',
  topic: 'dlq_topic',
  partition: 'dlq_partition',
  offset: 'dlq_offset',
  timestamp: 'dlq_timestamp',
  group: 'dlq_group',
  time: 'dlq_time',
  /** Of this death: a redriven event that fails again is another letter. */
  id: 'dlq_id',
  /** How often the event has died. */
  attempt: 'dlq_attempt',
  /** `true`: later events of the key wait until this one is redriven or dropped. */
  keyParked: 'dlq_key_parked',
} as const;

/** Headers of a marker, beside topic, partition, offset, group, id, attempt and time of its letter. */
export const SETTLED_HEADERS = {
  outcome: 'dlq_settled',
  by: 'dlq_settled_by',
  reason: 'dlq_settled_reason',
  askedAt: 'dlq_settled_asked_at',
} as const;

/** `redriven`: the handler has done it, and its effect is committed. */
export type SettledOutcome = 'redriven' | 'dropped';

/** What a person asked for, and why. */
export interface Asked {
  readonly by: string;
  readonly reason: string;
  /** Microseconds since the epoch. */
  readonly atMicros: number;
}

const LONGEST = 16_000;

export interface LetterIdentity {
  readonly id: string;
  readonly attempt: number;
  readonly keyParked: boolean;
}

/** Original key, bytes and headers, with the reason: it goes through the outbox, so it commits with the position. */
export function deadLetterRow(
  record: RawRecord,
  group: string,
  letter: DeadLetter,
  identity: LetterIdentity,
): OutboxEvent {
  const names = DEAD_LETTER_HEADERS;
  return {
    topic: deadLetterTopicOf(record.topic, group),
    key: record.key,
    value: record.value,
    // The original's producer, shard and sequence among them: they are not replaced.
    numbered: false,
    headers: HeaderBlock.of({
      ...record.headers,
      [names.reason]: letter.reason,
      [names.code]: letter.code,
      [names.message]: letter.message.slice(0, LONGEST),
      ...(letter.stack === undefined ? {} : { [names.stack]: letter.stack.slice(0, LONGEST) }),
      ...originHeaders(record, group, identity),
      [names.timestamp]: String(record.timestampMs),
      ...(identity.keyParked ? { [names.keyParked]: 'true' } : {}),
    }),
  };
}

/** Under its letter's key, so it stands behind it: same shard of the outbox, same partition. */
export function settledRow(
  record: Pick<RawRecord, 'topic' | 'partition' | 'offset' | 'key'>,
  group: string,
  letter: { readonly id: string; readonly attempt: number },
  settled: Asked & { readonly outcome: SettledOutcome },
): OutboxEvent {
  return {
    topic: deadLetterTopicOf(record.topic, group),
    key: record.key,
    value: null,
    numbered: true,
    headers: HeaderBlock.of({
      [SETTLED_HEADERS.outcome]: settled.outcome,
      [SETTLED_HEADERS.by]: settled.by,
      [SETTLED_HEADERS.reason]: settled.reason,
      [SETTLED_HEADERS.askedAt]: formatMicros(settled.atMicros),
      ...originHeaders(record, group, letter),
    }),
  };
}

function originHeaders(
  record: Pick<RawRecord, 'topic' | 'partition' | 'offset'>,
  group: string,
  letter: { readonly id: string; readonly attempt: number },
): Record<string, string> {
  const names = DEAD_LETTER_HEADERS;
  return {
    [names.topic]: record.topic,
    [names.partition]: String(record.partition),
    [names.offset]: String(record.offset),
    [names.group]: group,
    [names.time]: formatMicros(nowMicros()),
    [names.id]: letter.id,
    [names.attempt]: String(letter.attempt),
  };
}
