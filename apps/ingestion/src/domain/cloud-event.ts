// CloudEvents 1.0, Kafka protocol binding, as upstream systems send it: binary mode (attributes in ce_ headers, the value
// is the data) or structured mode (the value is an application/cloudevents+json document).
import { checkName, checkType, NO_ATTRIBUTES, readAttributes, refuse, type Attributes } from './cloud-event-attributes';
import {
  asObject,
  DATA_TYPES,
  isDataType,
  isJsonType,
  parseJson,
  readData,
  textOf,
  type JsonObject,
} from './cloud-event-data';
import { found, type Violation } from './violation';

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

/** As much as could be read; it is good when no violation was added. */
export interface CloudEvent extends Attributes {
  readonly data: JsonObject | undefined;
}

const STRUCTURED = 'application/cloudevents';
const BATCH = `${STRUCTURED}-batch`;
const PREFIX = 'ce_';
const BASE64 = /^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}(?:==)?|[A-Za-z0-9+/]{3}=?)?$/;

/** Reads the envelope and the data; everything that is wrong goes to `violations`. */
export function readCloudEvent(record: UpstreamRecord, violations: Violation[]): CloudEvent {
  const contentType = headerOf(record, 'content-type') ?? 'application/json';
  const mediaType = mediaTypeOf('content-type', contentType, violations);
  return mediaType.startsWith(STRUCTURED)
    ? readStructured(record, mediaType, violations)
    : readBinary(record, mediaType, violations);
}

function readBinary(record: UpstreamRecord, mediaType: string, violations: Violation[]): CloudEvent {
  if (!isDataType(mediaType)) {
    refuse(violations, 'content-type', found(mediaType, `${DATA_TYPES}, or ${STRUCTURED}+json for structured mode`));
  }
  for (const header of Object.keys(record.headers)) {
    if (header.startsWith(PREFIX)) checkName(PREFIX, header.slice(PREFIX.length), violations);
  }
  const attributes = readAttributes(
    PREFIX,
    (name) => headerOf(record, `${PREFIX}${name}`),
    headerOf(record, 'traceparent'),
    violations,
  );
  return { ...attributes, data: readData(mediaType, record.value, violations) };
}

function readStructured(record: UpstreamRecord, mediaType: string, violations: Violation[]): CloudEvent {
  const nothing: CloudEvent = { ...NO_ATTRIBUTES, data: undefined };
  if (mediaType !== `${STRUCTURED}+json`) {
    const why = mediaType.startsWith(BATCH)
      ? `${STRUCTURED}+json: the Kafka binding has no batch mode, send one event in each record`
      : `${STRUCTURED}+json, the only event format that is read here`;
    refuse(violations, 'content-type', found(mediaType, why));
    return nothing;
  }
  const document = parseJson(record.value, violations);
  if (document === undefined) return nothing;
  for (const [name, value] of Object.entries(document)) {
    if (name === 'data' || name === 'data_base64') continue;
    checkName('', name, violations);
    if (value !== null) checkType(name, value, violations);
  }
  // An absent attribute may also be written as null.
  const attribute = (name: string): unknown =>
    Object.hasOwn(document, name) ? (document[name] ?? undefined) : undefined;
  const traceparent = attribute('traceparent') ?? headerOf(record, 'traceparent');
  const attributes = readAttributes('', attribute, traceparent, violations);
  return { ...attributes, data: readStructuredData(document, attribute('datacontenttype'), violations) };
}

function readStructuredData(document: JsonObject, declared: unknown, violations: Violation[]): JsonObject | undefined {
  const contentType = declared ?? 'application/json';
  const mediaType =
    typeof contentType === 'string' ? mediaTypeOf('datacontenttype', contentType, violations) : undefined;
  if (mediaType === undefined || !isDataType(mediaType)) {
    refuse(violations, 'datacontenttype', found(contentType, DATA_TYPES));
    return undefined;
  }
  if (!Object.hasOwn(document, 'data_base64')) {
    if (isJsonType(mediaType)) return asObject(document['data'], 'data', violations);
    refuse(violations, 'data_base64', found(undefined, `the data: ${mediaType} cannot stand in a JSON document`));
    return undefined;
  }
  const base64 = document['data_base64'];
  if (Object.hasOwn(document, 'data')) {
    refuse(violations, 'data', found(document['data'], 'nothing: there is data_base64 already'));
  } else if (typeof base64 === 'string' && BASE64.test(base64)) {
    return readData(mediaType, Buffer.from(base64, 'base64'), violations);
  } else refuse(violations, 'data_base64', found(base64, 'a text in Base64'));
  return undefined;
}

function headerOf(record: UpstreamRecord, name: string): string | undefined {
  const bytes = Object.hasOwn(record.headers, name) ? record.headers[name] : undefined;
  // A header that is not UTF-8 becomes a character that no attribute may have.
  return bytes === undefined ? undefined : (textOf(bytes) ?? '\0');
}

function mediaTypeOf(name: string, contentType: string, violations: Violation[]): string {
  if (contentType === 'application/json') return contentType;
  const [mediaType = '', ...parameters] = contentType.split(';').map((part) => part.trim().toLowerCase());
  const charset = parameters.find((parameter) => parameter.startsWith('charset='))?.slice('charset='.length);
  if (charset !== undefined && !['utf-8', 'utf8', 'us-ascii'].includes(charset.replaceAll('"', ''))) {
    refuse(violations, name, found(charset, 'charset utf-8'));
  }
  return mediaType;
}
