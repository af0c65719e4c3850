import { deadLetterTopicOf } from '@headrace/contracts';
import type { OutboxRow } from './outbox';
import { formatMicros, nowMicros } from './rfc3339';
import { storeHeaders, storeText } from './stored-record';
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
  group: 'dlq_group',
  time: 'dlq_time',
} as const;

const LONGEST = 16_000;

/** Original key, bytes and headers, with the reason: it goes through the outbox, so it commits with the position. */
export function deadLetterRow(record: RawRecord, group: string, letter: DeadLetter): OutboxRow {
  const names = DEAD_LETTER_HEADERS;
  return {
    topic: deadLetterTopicOf(record.topic, group),
    key: record.key,
    value: record.value,
    headers: {
      ...storeHeaders(record.headers),
      ...storeText({
        [names.reason]: letter.reason,
        [names.code]: letter.code,
        [names.message]: letter.message.slice(0, LONGEST),
        ...(letter.stack === undefined ? {} : { [names.stack]: letter.stack.slice(0, LONGEST) }),
        [names.topic]: record.topic,
        [names.partition]: String(record.partition),
        [names.offset]: String(record.offset),
        [names.group]: group,
        [names.time]: formatMicros(nowMicros()),
      }),
    },
  };
}
