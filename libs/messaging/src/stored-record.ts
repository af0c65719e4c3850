// Records and their headers as they stand in parked_events (jsonb cannot hold bytes or NUL).
import { PlainHeaders } from './record-bytes';
import type { RawRecord } from './types';

export type StoredHeaders = Record<string, string | { readonly base64: string }>;

/** Text stays readable in the table; anything that is not text is kept byte for byte. */
export function storeHeaders(headers: Readonly<Record<string, Buffer>>): StoredHeaders {
  const stored: StoredHeaders = {};
  for (const [name, value] of Object.entries(headers)) {
    const text = value.toString('utf8');
    const readable = !text.includes('\0') && Buffer.from(text, 'utf8').equals(value);
    stored[name] = readable ? text : { base64: value.toString('base64') };
  }
  return stored;
}

export function restoreHeaders(stored: StoredHeaders): Record<string, Buffer> {
  const headers: Record<string, Buffer> = {};
  for (const [name, value] of Object.entries(stored)) {
    headers[name] = typeof value === 'string' ? Buffer.from(value, 'utf8') : Buffer.from(value.base64, 'base64');
  }
  return headers;
}

/** kafkajs gives a header as bytes, text or (repeated) a list; of repeated ones the last counts, null ones say nothing. */
export function normaliseHeaders(
  headers: Readonly<Record<string, Buffer | string | (Buffer | string)[] | null | undefined>> | undefined,
): Readonly<Record<string, Buffer>> {
  if (headers instanceof PlainHeaders) return headers;
  // A stranger names the headers: none of them may meet a prototype.
  const normal = Object.create(null) as Record<string, Buffer>;
  for (const name in headers) {
    const value = headers[name];
    const last = Array.isArray(value) ? value.at(-1) : value;
    if (last !== undefined && last !== null) normal[name] = typeof last === 'string' ? Buffer.from(last, 'utf8') : last;
  }
  return normal;
}

/** The key under which order is kept; records without one share the empty key. */
export function keyOf(record: RawRecord): Buffer {
  return record.key ?? Buffer.alloc(0);
}
