import { validateDefinition, versionOf, type DataStream } from '@headrace/definitions';
import type { UpstreamRecord } from '../src/domain/cloud-event';
import { judgeRecord, type AcceptedRecord, type Judgement, type RejectedRecord } from '../src/domain/judge-record';
import { compileStream, type StreamRules } from '../src/domain/stream-rules';

export const CLOCK = Date.UTC(2026, 0, 1) * 1_000;

/** A stream of orders; every field and rule can be replaced. */
export function streamOf(spec: Record<string, unknown> = {}, name = 'orders'): DataStream {
  const result = validateDefinition({
    apiVersion: 'headrace.dev/v1',
    kind: 'DataStream',
    metadata: { name },
    spec: {
      source: { kafka: { topic: `shop.${name}` } },
      key: 'order',
      eventTime: 'placed',
      fields: {
        order: { type: 'string', maxLength: 20 },
        placed: { type: 'timestamp' },
        items: { type: 'int', min: 1, max: 100 },
        total: { type: 'double', min: 0 },
        paid: { type: 'bool', required: false },
        country: { type: 'string', pattern: '^[A-Z]{2}$', required: false },
        channel: { type: 'string', oneOf: ['web', 'shop'], required: false },
      },
      ...spec,
    },
  });
  if (result.kind === 'invalid' || result.definition.kind !== 'DataStream') throw new Error(JSON.stringify(result));
  return result.definition;
}

export function rulesOf(spec: Record<string, unknown> = {}): StreamRules {
  const definition = streamOf(spec);
  return compileStream(definition, versionOf(definition));
}

export function orderOf(changes: Record<string, unknown> = {}): Record<string, unknown> {
  return { order: 'A-1', placed: '2025-06-01T12:00:00Z', items: 2, total: 19.5, ...changes };
}

export interface RecordParts {
  readonly id?: string;
  readonly data?: Record<string, unknown>;
  readonly value?: string | Buffer | null;
  readonly key?: string;
  /** Undefined values remove a header. */
  readonly headers?: Record<string, string | undefined>;
  readonly offset?: number;
}

/** A good record in binary mode, with changes. */
export function recordOf(parts: RecordParts = {}): UpstreamRecord {
  const value = parts.value === undefined ? JSON.stringify(parts.data ?? orderOf()) : parts.value;
  return {
    topic: 'shop.orders',
    partition: 0,
    offset: parts.offset ?? 0,
    timestampMs: Date.UTC(2025, 5, 1, 12),
    key: parts.key === undefined ? null : Buffer.from(parts.key),
    value: typeof value === 'string' ? Buffer.from(value) : value,
    headers: Object.fromEntries(
      Object.entries(headersOf(parts.id ?? 'event-1', parts.headers)).map(([name, text]) => [name, Buffer.from(text)]),
    ),
  };
}

export function headersOf(id: string, changes: Record<string, string | undefined> = {}): Record<string, string> {
  const headers: Record<string, string | undefined> = {
    ce_specversion: '1.0',
    ce_id: id,
    ce_source: '/shop',
    ce_type: 'com.example.order',
    'content-type': 'application/json',
    ...changes,
  };
  return Object.fromEntries(
    Object.entries(headers).filter((entry): entry is [string, string] => entry[1] !== undefined),
  );
}

export function judge(record: UpstreamRecord, rules: StreamRules = rulesOf()): Judgement {
  return judgeRecord(rules, record, CLOCK);
}

export function accepted(record: UpstreamRecord, rules?: StreamRules): AcceptedRecord {
  const judgement = judge(record, rules);
  if (judgement.kind === 'rejected') throw new Error(`refused: ${JSON.stringify(judgement.violations)}`);
  return judgement;
}

export function rejected(record: UpstreamRecord, rules?: StreamRules): RejectedRecord {
  const judgement = judge(record, rules);
  if (judgement.kind === 'accepted') throw new Error('accepted');
  return judgement;
}
