// CloudEvents 1.0, Kafka protocol binding, binary mode: attributes as `ce_` headers, the protobuf message as the value.
import { isUtf8 } from 'node:buffer';
import { eventsByType, type EventDefinition } from '@headrace/contracts';
import { isTraceparent } from '@headrace/tracing';
import { HeaderBlock } from './record-bytes';
import { formatMicros, parseMicros } from './rfc3339';
import type { Cause, RawRecord, ReceivedEvent } from './types';

export interface Attributes {
  readonly id: string;
  readonly source: string;
  readonly type: string;
  readonly timeMicros: number;
  readonly subject: string;
  readonly correlationId: string;
  readonly causationId: string;
  /** W3C trace context: the span of the event itself (see event-trace.ts). */
  readonly traceparent: string;
}

export const CONTENT_TYPE = 'application/protobuf';
export const PRODUCER_SHARD = 'ce_producershard';
export const PRODUCER_SEQUENCE = 'ce_producersequence';

export function sourceOf(service: string): string {
  return `/headrace/${service}`;
}

/** What all events of one type and source have in common, by source and type; a service has few of them. */
const common = new Map<string, Map<string, HeaderBlock>>();

function commonHeaders(type: string, source: string): HeaderBlock {
  const known = common.get(source)?.get(type);
  if (known) return known;
  const made = HeaderBlock.of({
    'content-type': CONTENT_TYPE,
    ce_specversion: '1.0',
    ce_source: source,
    ce_type: type,
  });
  common.set(source, (common.get(source) ?? new Map<string, HeaderBlock>()).set(type, made));
  return made;
}

/** Headers of an event, without its producer's shard and sequence. Empty optional attributes are left out. */
export function encodeAttributes(attributes: Attributes): HeaderBlock {
  const headers: Record<string, string> = {
    ce_id: attributes.id,
    ce_time: formatMicros(attributes.timeMicros),
    ce_correlationid: attributes.correlationId,
    traceparent: attributes.traceparent,
  };
  if (attributes.subject !== '') headers['ce_subject'] = attributes.subject;
  if (attributes.causationId !== '') headers['ce_causationid'] = attributes.causationId;
  return HeaderBlock.of(headers, commonHeaders(attributes.type, attributes.source));
}

/** Correlation and causation of an event that this cause brings about; null begins a new chain. */
export function follow(cause: Cause | null, id: string): Pick<Attributes, 'correlationId' | 'causationId'> {
  if (cause === null) return { correlationId: id, causationId: '' };
  return { correlationId: cause.correlationId, causationId: cause.eventId };
}

export type Decoded =
  | { readonly kind: 'event'; readonly event: ReceivedEvent; readonly definition: EventDefinition<unknown> }
  | { readonly kind: 'undecodable'; readonly code: string; readonly message: string; readonly type: string | undefined }
  | { readonly kind: 'unknown-type'; readonly type: string };

class HeaderFault extends Error {
  constructor(
    readonly header: string,
    what: string,
  ) {
    super(`header ${header}: ${what}`);
  }
}

/** Of each header its value in the event before: producer, type and version seldom change from one to the next. */
const lastTexts = new Map<string, { readonly bytes: Buffer; readonly text: string }>();
/** More is not worth comparing. */
const LONGEST_KEPT = 64;

/** Only for headers whose values stay the same for long. */
function same(headers: RawRecord['headers'], name: string): string {
  const value = headers[name];
  const last = lastTexts.get(name);
  if (value !== undefined && last?.bytes.equals(value)) return last.text;
  const text = required(headers, name);
  if (value !== undefined && value.length <= LONGEST_KEPT) lastTexts.set(name, { bytes: Buffer.from(value), text });
  return text;
}

function optional(headers: RawRecord['headers'], name: string): string | undefined {
  const value = headers[name];
  if (value === undefined) return undefined;
  const text = value.toString('utf8');
  // What stands for bytes that are no text may also have been written.
  if (text.includes('\uFFFD') && !isUtf8(value)) throw new HeaderFault(name, 'not UTF-8');
  return text;
}

function required(headers: RawRecord['headers'], name: string): string {
  const value = optional(headers, name);
  if (value === undefined) throw new HeaderFault(name, 'missing');
  if (value === '') throw new HeaderFault(name, 'empty');
  return value;
}

/** The CloudEvents type, when there is one: enough to skip what a group has no handler for. */
export function typeOf(record: RawRecord): string | undefined {
  return record.headers['ce_type']?.toString('utf8');
}

export type DefinitionOf = (type: string) => EventDefinition<unknown> | undefined;

const inCatalogue: DefinitionOf = (type) => eventsByType.get(type);

/** Strict: the first fault decides, and names its header. `definitionOf`: who reads it says what of it is read. */
export function decode(record: RawRecord, definitionOf: DefinitionOf = inCatalogue): Decoded {
  try {
    const { headers } = record;
    const specVersion = same(headers, 'ce_specversion');
    if (specVersion !== '1.0') throw new HeaderFault('ce_specversion', `expected 1.0, got ${specVersion}`);
    const known = same(headers, 'ce_type');
    const definition = definitionOf(known) ?? inCatalogue(known);
    if (!definition) return { kind: 'unknown-type', type: known };
    const contentType = same(headers, 'content-type');
    if (contentType !== CONTENT_TYPE)
      throw new HeaderFault('content-type', `expected ${CONTENT_TYPE}, got ${contentType}`);
    const time = required(headers, 'ce_time');
    const timeMicros = parseMicros(time);
    if (timeMicros === undefined) throw new HeaderFault('ce_time', `expected an RFC 3339 time, got ${time}`);
    const sequence = Number(required(headers, PRODUCER_SEQUENCE));
    if (!Number.isSafeInteger(sequence) || sequence < 0) {
      throw new HeaderFault(PRODUCER_SEQUENCE, 'expected a whole number from 0 to 2^53 − 1');
    }
    const traceparent = headers['traceparent']?.toString('latin1');
    const key = record.key?.toString('utf8') ?? '';
    return {
      kind: 'event',
      definition,
      event: {
        eventId: required(headers, 'ce_id'),
        source: same(headers, 'ce_source'),
        type: known,
        timeMicros,
        subject: optional(headers, 'ce_subject') ?? key,
        correlationId: required(headers, 'ce_correlationid'),
        causationId: optional(headers, 'ce_causationid') ?? '',
        ...(isTraceparent(traceparent) ? { traceparent } : {}),
        producer: { shard: same(headers, PRODUCER_SHARD), sequence },
        topic: record.topic,
        partition: record.partition,
        offset: record.offset,
        key,
        data: decodeData(definition, record),
      },
    };
  } catch (error) {
    const code = error instanceof HeaderFault ? 'invalid_header' : 'invalid_data';
    const type = typeOf(record);
    return { kind: 'undecodable', code, message: error instanceof Error ? error.message : String(error), type };
  }
}

function decodeData(definition: EventDefinition<unknown>, record: RawRecord): unknown {
  if (record.value === null) throw new Error(`${definition.type}: the record has no value`);
  try {
    return definition.codec.decode(record.value);
  } catch (error) {
    throw new Error(`${definition.type}: not the protobuf message: ${String(error)}`, { cause: error });
  }
}
