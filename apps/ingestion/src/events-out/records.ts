import { events, type EventDefinition } from '@headrace/contracts';
import type { DataArrived, DataRejected } from '@headrace/contracts/proto/ingestion/v1/ingestion_events';
import type { BulkMessage, Cause } from '@headrace/messaging';
import type { UpstreamRecord } from '../domain/cloud-event';
import type { RejectedRecord } from '../domain/judge-record';
import type { KnownRecord } from '../domain/sort-batch';

type Judged = Pick<RejectedRecord, 'upstreamId' | 'correlationId' | 'traceparent'>;

/** Identity of everything that an upstream record becomes. */
export function originId(record: UpstreamRecord): string {
  return `${record.topic}/${record.partition}/${record.offset}`;
}

/** Records of one partition rise in their offset. A redriven one comes behind later ones, so it is a producer of its own. */
export function producerOf({ topic, partition, offset, redriveOf }: UpstreamRecord): BulkMessage<unknown>['producer'] {
  const shard = `${topic}/${partition}`;
  return { shard: redriveOf === undefined ? shard : `${shard}/redrive/${redriveOf}`, sequence: offset };
}

/** The upstream event, as the cause of what it becomes; null when its id could not be read. */
function upstreamCause({ upstreamId, correlationId }: Judged): Cause | null {
  if (upstreamId === undefined) return null;
  return { eventId: upstreamId, correlationId: correlationId ?? upstreamId };
}

function bulk<T>(
  definition: EventDefinition<T>,
  stream: string,
  record: UpstreamRecord,
  judged: Judged,
  key: string,
  data: T,
): BulkMessage<unknown> {
  return {
    definition: definition as unknown as EventDefinition<unknown>,
    data,
    id: originId(record),
    producer: producerOf(record),
    cause: upstreamCause(judged),
    trace: judged.traceparent ?? null,
    stream,
    key,
    timeMicros: record.timestampMs * 1_000,
  };
}

export function dataArrived(
  stream: { readonly name: string; readonly version: string },
  { accepted, knownTimeMicros }: KnownRecord,
): BulkMessage<unknown> {
  const { record } = accepted;
  const data: DataArrived = {
    stream: stream.name,
    streamVersion: stream.version,
    recordKey: accepted.key,
    eventTimeMicros: accepted.eventTimeMicros,
    knownTimeMicros,
    fields: accepted.fields,
    origin: { topic: record.topic, partition: record.partition, offset: record.offset },
    warnings: [...accepted.warnings],
    upstreamId: accepted.upstreamId,
  };
  return bulk(events.DataArrived, stream.name, record, accepted, accepted.key, data);
}

/** A quarantined record is larger than what arrived; Kafka refuses one above 1 MiB, so the largest lose their end. */
const QUARANTINE_BYTES = 1_000_000;
const MAX_KEY_BYTES = 4_096;
const MAX_HEADER_BYTES = 65_536;

export function dataRejected(
  stream: { readonly name: string; readonly version: string },
  rejected: RejectedRecord,
  rejectedAtMicros: number,
): BulkMessage<unknown> {
  const { record } = rejected;
  const violations = rejected.violations.map((violation) => ({ ...violation }));
  const originalHeaders = headersWithin(record, MAX_HEADER_BYTES);
  const originalKey = record.key?.subarray(0, MAX_KEY_BYTES) ?? Buffer.alloc(0);
  const taken = violations.reduce((sum, { field, message }) => sum + 64 + field.length + 3 * message.length, 0);
  const original = record.value ?? Buffer.alloc(0);
  const data: DataRejected = {
    stream: stream.name,
    streamVersion: stream.version,
    violations,
    originalValue: original.subarray(0, Math.max(0, QUARANTINE_BYTES - taken - MAX_HEADER_BYTES - 2 * MAX_KEY_BYTES)),
    originalKey,
    originalHeaders,
    origin: { topic: record.topic, partition: record.partition, offset: record.offset },
    rejectedAtMicros,
    originalSize: original.byteLength,
  };
  const key = rejected.key.slice(0, MAX_KEY_BYTES / 4);
  return bulk(events.DataRejected, stream.name, record, rejected, key, data);
}

function headersWithin(record: UpstreamRecord, bytes: number): Record<string, Buffer> {
  const kept: Record<string, Buffer> = {};
  let left = bytes;
  for (const [name, value] of Object.entries(record.headers)) {
    left -= 3 * name.length + value.byteLength + 16;
    if (left < 0) break;
    kept[name] = value;
  }
  return kept;
}
