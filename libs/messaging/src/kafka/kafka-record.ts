import type { KafkaMessage } from 'kafkajs';
import { normaliseHeaders } from '../stored-record';
import type { RawRecord } from '../types';

export function recordOf(topic: string, partition: number, message: KafkaMessage): RawRecord {
  return {
    topic,
    partition,
    offset: Number(message.offset),
    timestampMs: Number(message.timestamp),
    key: message.key,
    value: message.value,
    // Read again each time, see decodeRecord.
    get headers() {
      return normaliseHeaders(message.headers);
    },
  };
}
