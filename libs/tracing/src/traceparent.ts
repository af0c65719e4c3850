// W3C trace context, version 00, in the form of its header: "00-<trace id>-<span id>-<flags>". Everywhere in Headrace a
// context is such a string; its parts are looked at only here.
import { randomUUID } from 'node:crypto';

const FORM = /^00-(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}$/;

/** Version 00, lower case, neither id all zeros. Anything else is to be ignored, never passed on. */
export function isTraceparent(text: string | undefined): text is string {
  return text !== undefined && FORM.test(text);
}

/** 32 hexadecimal digits. */
export function traceIdOf(traceparent: string): string {
  return traceparent.slice(3, 35);
}

/** 16 hexadecimal digits. */
export function spanIdOf(traceparent: string): string {
  return traceparent.slice(36, 52);
}

/** Whether somebody before decided that this trace is recorded. */
export function isSampled(traceparent: string): boolean {
  return (Number.parseInt(traceparent.slice(53, 55), 16) & 1) === 1;
}

/**
 * Context of an event: its own span in the trace that it continues; without a valid one in a trace that begins here.
 * The span id is a function of the event's id, so whoever knows the id and the trace knows the span: a state that keeps
 * "caused by this event" needs nothing else to be the right parent later, and an event published again keeps its span.
 */
export function eventTraceparent(eventId: string, continued: string | undefined): string {
  if (!isTraceparent(continued)) return `00-${newTraceId()}-${eventSpanId(eventId)}-01`;
  return `00-${traceIdOf(continued)}-${eventSpanId(eventId)}-${isSampled(continued) ? '01' : '00'}`;
}

/** UUIDs: Node keeps their randomness in stock, and asks the system for other random bytes one by one. */
export function newTraceId(): string {
  return randomUUID().replaceAll('-', '');
}

/**
 * 64 well mixed bits of the text (two multiplicative hashes of 32 bits, mixed into each other as in MurmurHash3's end),
 * as 16 hexadecimal digits. No secret and no proof: only different within one trace. A tenth of the time of a digest.
 */
export function eventSpanId(eventId: string): string {
  let a = 0xdeadbeef;
  let b = 0x41c6ce57;
  for (let index = 0; index < eventId.length; index += 1) {
    const code = eventId.charCodeAt(index);
    a = Math.imul(a ^ code, 0x9e3779b1);
    b = Math.imul(b ^ code, 0x5f356495);
  }
  a = Math.imul(a ^ (a >>> 16), 0x85ebca6b) ^ Math.imul(b ^ (b >>> 13), 0xc2b2ae35);
  b = Math.imul(b ^ (b >>> 16), 0x85ebca6b) ^ Math.imul(a ^ (a >>> 13), 0xc2b2ae35);
  const id = hex(a) + hex(b);
  return id === '0000000000000000' ? '0000000000000001' : id;
}

function hex(bits: number): string {
  return (bits >>> 0).toString(16).padStart(8, '0');
}
