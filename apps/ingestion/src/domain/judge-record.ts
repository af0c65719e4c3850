import type { Value } from '@headrace/contracts/proto/common/v1/common';
import { readCloudEvent, type CloudEvent, type UpstreamRecord } from './cloud-event';
import { textOf, type JsonObject } from './cloud-event-data';
import type { StreamRules } from './stream-rules';
import { found, shown, type Violation } from './violation';

/** Kafka refuses more than 1 MiB for a record with its headers; the rest is room for what Headrace adds to the value. */
export const MAX_VALUE_BYTES = 1_000_000;
const MAX_KEY_LENGTH = 512;
/** How far ahead of this machine's clock a declared known time may be: one from the future would hold all later ones up. */
const CLOCK_TOLERANCE_MICROS = 5 * 60 * 1_000_000;

export interface AcceptedRecord {
  readonly kind: 'accepted';
  readonly record: UpstreamRecord;
  /** CloudEvents id. */
  readonly upstreamId: string;
  /** What repeats are recognised by: CloudEvents source and id, since an id is unique only within its source. */
  readonly identity: string;
  readonly correlationId: string;
  readonly traceparent: string | undefined;
  readonly key: string;
  readonly eventTimeMicros: number;
  /** As declared by the record; undefined: the clock at acceptance. */
  readonly declaredKnownTimeMicros: number | undefined;
  /** Exactly the declared fields. Others are dropped: an upstream system may add fields before the definition knows them. */
  readonly fields: Record<string, Value>;
  /** Names of violated expectations with action warn. */
  readonly warnings: readonly string[];
}

export interface RejectedRecord {
  readonly kind: 'rejected';
  readonly record: UpstreamRecord;
  readonly violations: readonly [Violation, ...Violation[]];
  /** What could be read of it. */
  readonly upstreamId: string | undefined;
  readonly correlationId: string | undefined;
  readonly traceparent: string | undefined;
  /** The record's key, else the upstream's. */
  readonly key: string;
  readonly eventTimeMicros: number | undefined;
}

export type Judgement = AcceptedRecord | RejectedRecord;

/** Is this record acceptable? A pure function of the rules, the record and the clock; it collects every violation. */
export function judgeRecord(rules: StreamRules, record: UpstreamRecord, clockMicros: number): Judgement {
  const violations: Violation[] = [];
  const size = record.value?.byteLength ?? 0;
  if (size > MAX_VALUE_BYTES) {
    violations.push({
      field: '',
      code: 'too_large',
      message: `found ${size} bytes, expected at most ${MAX_VALUE_BYTES}`,
    });
    return rejected(record, violations, undefined, {});
  }
  const event = readCloudEvent(record, violations);
  if (event.data === undefined) return rejected(record, violations, event, {});
  const fields = readFields(rules, event.data, violations);
  const key = keyOf(rules, fields, violations);
  const eventTimeMicros = timeOf(fields[rules.eventTime]);
  const declaredKnownTimeMicros = rules.knownTime === undefined ? undefined : timeOf(fields[rules.knownTime]);
  if (declaredKnownTimeMicros !== undefined && declaredKnownTimeMicros > clockMicros + CLOCK_TOLERANCE_MICROS) {
    violations.push({
      field: rules.knownTime ?? '',
      code: 'out_of_range',
      message: found(
        event.data[rules.knownTime ?? ''],
        'a time that is not in the future: it says when this was known',
      ),
    });
  }
  const warnings = checkExpectations(rules, fields, violations);
  if (violations.length > 0 || key === undefined || eventTimeMicros === undefined || !event.id || !event.source) {
    return rejected(record, violations, event, { key, eventTimeMicros });
  }
  return {
    kind: 'accepted',
    record,
    upstreamId: event.id,
    // A source holds no spaces.
    identity: `${event.source} ${event.id}`,
    correlationId: event.correlationId ?? event.id,
    traceparent: event.traceparent,
    key,
    eventTimeMicros,
    declaredKnownTimeMicros,
    fields,
    warnings,
  };
}

/** The values that are right; a refused field is left out and has its violation. */
function readFields(rules: StreamRules, data: JsonObject, violations: Violation[]): Record<string, Value> {
  const fields: Record<string, Value> = {};
  for (const { name, rule } of rules.fields) {
    const value = rule(Object.hasOwn(data, name) ? data[name] : undefined, violations);
    if (value !== undefined) fields[name] = value;
  }
  return fields;
}

function keyOf(rules: StreamRules, fields: Record<string, Value>, violations: Violation[]): string | undefined {
  const kind = fields[rules.key]?.kind;
  if (kind === undefined) return undefined;
  const key = String(kind.value);
  if (key !== '' && key.length <= MAX_KEY_LENGTH) return key;
  violations.push({
    field: rules.key,
    code: key === '' ? 'missing' : 'out_of_range',
    message: found(key, `a key of 1 to ${MAX_KEY_LENGTH} characters`),
  });
  return undefined;
}

function timeOf(value: Value | undefined): number | undefined {
  return value?.kind?.$case === 'timeValue' ? value.kind.value : undefined;
}

/**
 * An expectation must be true. One that cannot be computed is violated too, unless a field of the record is refused
 * already: then it may be for want of that field, and says nothing.
 */
function checkExpectations(rules: StreamRules, fields: Record<string, Value>, violations: Violation[]): string[] {
  const warnings: string[] = [];
  const isComplete = violations.length === 0;
  for (const { name, expression, source, action, message } of rules.expectations) {
    const result = expression(fields);
    if (result === true || (result === undefined && !isComplete)) continue;
    if (action === 'warn') warnings.push(name);
    else {
      violations.push({
        field: '',
        code: 'expectation',
        message: `${name}: ${message === undefined ? '' : `${message}; `}found ${shown(result)} for ${source}, expected true`,
      });
    }
  }
  return warnings;
}

function rejected(
  record: UpstreamRecord,
  violations: readonly Violation[],
  event: CloudEvent | undefined,
  read: { readonly key?: string | undefined; readonly eventTimeMicros?: number | undefined },
): RejectedRecord {
  const [first, ...others] = violations;
  if (first === undefined) throw new Error('a record was refused without a reason');
  return {
    kind: 'rejected',
    record,
    violations: [first, ...others],
    upstreamId: event?.id,
    correlationId: event?.correlationId ?? event?.id,
    traceparent: event?.traceparent,
    key: read.key ?? (record.key && textOf(record.key)) ?? '',
    eventTimeMicros: read.eventTimeMicros,
  };
}
