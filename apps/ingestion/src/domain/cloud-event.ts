// CloudEvents 1.0, Kafka protocol binding, as upstream systems send it: binary mode (attributes in ce_ headers, the value
// is the data) or structured mode (the value is an application/cloudevents+json document).
import { parseTime } from '@headrace/event-time';
import { found, shown, type Violation } from './violation';

/** What the log holds, before anything is believed. */
export interface UpstreamRecord {
  readonly topic: string;
  readonly partition: number;
  readonly offset: number;
  /** Broker timestamp, milliseconds since the epoch. */
  readonly timestampMs: number;
  readonly key: Buffer | null;
  readonly value: Buffer | null;
  readonly headers: Readonly<Record<string, Buffer>>;
  /** Set when a redrive brings it again. */
  readonly redriveOf?: string;
}

export type JsonObject = Readonly<Record<string, unknown>>;

/** As much as could be read; it is good when no violation was added. */
export interface CloudEvent {
  readonly id: string | undefined;
  readonly correlationId: string | undefined;
  readonly traceparent: string | undefined;
  readonly data: JsonObject | undefined;
}

/** Of an attribute: ids become index keys, and headers of everything that follows from the record. */
const MAX_ATTRIBUTE_LENGTH = 512;
/** What CloudEvents forbids in strings: control characters and lone surrogates. */
const FORBIDDEN = /[\0-\x1f\x7f-\x9f\p{Surrogate}]/u;
const TRACEPARENT = /^[0-9a-f]{2}-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}$/;
const STRUCTURED = 'application/cloudevents';
const JSON_TYPE = /^[\w.+-]+\/(json|[\w.-]+\+json)$/;

const strictUtf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

/** Undefined when the bytes are not UTF-8. */
export function textOf(bytes: Buffer): string | undefined {
  const text = bytes.toString('utf8');
  if (!text.includes('\ufffd')) return text;
  try {
    return strictUtf8.decode(bytes);
  } catch {
    return undefined;
  }
}

/** Reads the envelope and the JSON data; everything that is wrong goes to `violations`. */
export function readCloudEvent(record: UpstreamRecord, violations: Violation[]): CloudEvent {
  const contentType = headerOf(record, 'content-type') ?? 'application/json';
  const mediaType = mediaTypeOf(contentType, violations);
  return mediaType.startsWith(STRUCTURED)
    ? readStructured(record, mediaType, violations)
    : readBinary(record, mediaType, violations);
}

function readBinary(record: UpstreamRecord, mediaType: string, violations: Violation[]): CloudEvent {
  if (!JSON_TYPE.test(mediaType)) {
    refuse(violations, 'content-type', found(mediaType, 'application/json or application/cloudevents+json'));
  }
  const envelope = readAttributes(
    'ce_',
    (name) => headerOf(record, `ce_${name}`),
    headerOf(record, 'traceparent'),
    violations,
  );
  const data = parseObject(record.value, violations);
  return { ...envelope, data };
}

function readStructured(record: UpstreamRecord, mediaType: string, violations: Violation[]): CloudEvent {
  if (mediaType !== `${STRUCTURED}+json`) {
    refuse(violations, 'content-type', found(mediaType, `${STRUCTURED}+json (one event a record)`));
    return { id: undefined, correlationId: undefined, traceparent: undefined, data: undefined };
  }
  const document = parseObject(record.value, violations) ?? {};
  const attribute = (name: string): unknown => (Object.hasOwn(document, name) ? document[name] : undefined);
  const traceparent = attribute('traceparent') ?? headerOf(record, 'traceparent');
  if (violations.some((violation) => violation.code === 'undecodable')) {
    return { id: undefined, correlationId: undefined, traceparent: undefined, data: undefined };
  }
  const envelope = readAttributes('', attribute, traceparent, violations);
  const dataType = attribute('datacontenttype') ?? 'application/json';
  if (typeof dataType !== 'string' || !JSON_TYPE.test(mediaTypeOf(dataType, violations))) {
    refuse(violations, 'datacontenttype', found(dataType, 'application/json'));
  }
  const base64 = attribute('data_base64');
  const data =
    typeof base64 === 'string'
      ? parseObject(Buffer.from(base64, 'base64'), violations)
      : asObject(attribute('data'), 'data', violations);
  return { ...envelope, data };
}

function readAttributes(
  prefix: string,
  attribute: (name: string) => unknown,
  traceparent: unknown,
  violations: Violation[],
): Omit<CloudEvent, 'data'> {
  const specVersion = attribute('specversion');
  if (specVersion !== '1.0') refuse(violations, `${prefix}specversion`, found(specVersion, '"1.0"'));
  const id = readText(`${prefix}id`, attribute('id'), violations);
  readText(`${prefix}source`, attribute('source'), violations);
  readText(`${prefix}type`, attribute('type'), violations);
  const time = attribute('time');
  if (time !== undefined && (typeof time !== 'string' || parseTime(time) === undefined)) {
    refuse(violations, `${prefix}time`, found(time, 'an RFC 3339 time with an offset'));
  }
  // Extensions that other systems may set to anything: taken when they are of use, never a reason to refuse.
  const correlationId = attribute('correlationid');
  return {
    id,
    correlationId: isAttribute(correlationId) ? correlationId : undefined,
    traceparent: typeof traceparent === 'string' && TRACEPARENT.test(traceparent) ? traceparent : undefined,
  };
}

function isAttribute(value: unknown): value is string {
  return typeof value === 'string' && value !== '' && value.length <= MAX_ATTRIBUTE_LENGTH && !FORBIDDEN.test(value);
}

function readText(name: string, value: unknown, violations: Violation[]): string | undefined {
  if (isAttribute(value)) return value;
  refuse(violations, name, found(value, `1 to ${MAX_ATTRIBUTE_LENGTH} characters of UTF-8 without control characters`));
  return undefined;
}

function refuse(violations: Violation[], attribute: string, message: string): void {
  violations.push({ field: '', code: 'bad_envelope', message: `${attribute}: ${message}` });
}

function headerOf(record: UpstreamRecord, name: string): string | undefined {
  const bytes = Object.hasOwn(record.headers, name) ? record.headers[name] : undefined;
  // A header that is not UTF-8 becomes a character that no attribute may have.
  return bytes === undefined ? undefined : (textOf(bytes) ?? '\0');
}

function mediaTypeOf(contentType: string, violations: Violation[]): string {
  if (contentType === 'application/json') return contentType;
  const [mediaType = '', ...parameters] = contentType.split(';').map((part) => part.trim().toLowerCase());
  const charset = parameters.find((parameter) => parameter.startsWith('charset='))?.slice('charset='.length);
  if (charset !== undefined && !['utf-8', 'utf8', 'us-ascii'].includes(charset.replaceAll('"', ''))) {
    refuse(violations, 'content-type', found(charset, 'charset utf-8'));
  }
  return mediaType;
}

function parseObject(bytes: Buffer | null, violations: Violation[]): JsonObject | undefined {
  const undecodable = (message: string): undefined => {
    violations.push({ field: '', code: 'undecodable', message });
    return undefined;
  };
  if (bytes === null) return undecodable('found no value (a tombstone), expected a JSON object');
  const text = textOf(bytes);
  if (text === undefined) return undecodable('found bytes that are not UTF-8, expected a JSON object');
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return undecodable(`found ${shown(text)}, which is not JSON, expected a JSON object`);
  }
  return asObject(value, '', violations);
}

function asObject(value: unknown, name: string, violations: Violation[]): JsonObject | undefined {
  if (typeof value === 'object' && value !== null && !Array.isArray(value)) return value as JsonObject;
  const message = found(value, 'a JSON object');
  violations.push({ field: '', code: 'undecodable', message: name === '' ? message : `${name}: ${message}` });
  return undefined;
}
