// The data of an upstream event as a JSON object: written as one, or as a protobuf message RecordFields.
import type { Value } from '@headrace/contracts/proto/common/v1/common';
import { RecordFields } from '@headrace/contracts/proto/ingestion/v1/record';
import { formatTime } from '@headrace/event-time';
import { found, shown, type Violation } from './violation';

export type JsonObject = Readonly<Record<string, unknown>>;

const JSON_TYPE = /^[\w.+-]+\/(json|[\w.-]+\+json)$/;
const PROTOBUF_TYPE = 'application/protobuf';
export const DATA_TYPES = `application/json or ${PROTOBUF_TYPE}`;

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

export function isDataType(mediaType: string): boolean {
  return mediaType === PROTOBUF_TYPE || isJsonType(mediaType);
}

export function isJsonType(mediaType: string): boolean {
  return JSON_TYPE.test(mediaType);
}

/** Undefined when it cannot be read; then there is a violation. Media types that are none of ours are read as JSON. */
export function readData(mediaType: string, bytes: Buffer | null, violations: Violation[]): JsonObject | undefined {
  return mediaType === PROTOBUF_TYPE ? parseProtobuf(bytes, violations) : parseJson(bytes, violations);
}

export function parseJson(bytes: Buffer | null, violations: Violation[]): JsonObject | undefined {
  if (bytes === null) return undecodable('found no value (a tombstone), expected a JSON object', violations);
  const text = textOf(bytes);
  if (text === undefined) return undecodable('found bytes that are not UTF-8, expected a JSON object', violations);
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return undecodable(`found ${shown(text)}, which is not JSON, expected a JSON object`, violations);
  }
  return asObject(value, '', violations);
}

export function asObject(value: unknown, name: string, violations: Violation[]): JsonObject | undefined {
  if (typeof value === 'object' && value !== null && !Array.isArray(value)) return value as JsonObject;
  const message = found(value, 'a JSON object');
  return undecodable(name === '' ? message : `${name}: ${message}`, violations);
}

function parseProtobuf(bytes: Buffer | null, violations: Violation[]): JsonObject | undefined {
  const expected = 'expected a protobuf message headrace.ingestion.v1.RecordFields';
  if (bytes === null) return undecodable(`found no value (a tombstone), ${expected}`, violations);
  try {
    const { fields } = RecordFields.decode(bytes);
    return Object.fromEntries(Object.entries(fields).map(([name, value]) => [name, jsonOf(value)]));
  } catch (error) {
    const fault = error instanceof Error ? error.message : String(error);
    return undecodable(`found ${bytes.byteLength} bytes that cannot be read (${fault}), ${expected}`, violations);
  }
}

/** As the same field stands in JSON: the rules for fields are the same for both. */
function jsonOf({ kind }: Value): unknown {
  if (kind === undefined) return null;
  return kind.$case === 'timeValue' ? formatTime(kind.value) : kind.value;
}

function undecodable(message: string, violations: Violation[]): undefined {
  violations.push({ field: '', code: 'undecodable', message });
  return undefined;
}
