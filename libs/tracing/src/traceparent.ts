// W3C trace context, version 00, in the form of its header: "00-<trace id>-<span id>-<flags>". Everywhere in Headrace a
// context is such a string; its parts are looked at only here.
import { hash, randomUUID } from 'node:crypto';

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
 * 16 hexadecimal digits: different ids within one trace are what matters. A digest in one call costs 0.3 µs; one built up
 * by createHash or drawn by randomBytes several times that.
 */
export function eventSpanId(eventId: string): string {
  return hash('sha256', eventId).slice(0, 16);
}
