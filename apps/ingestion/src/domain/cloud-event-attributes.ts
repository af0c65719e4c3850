// Context attributes of a CloudEvent 1.0 and the rules of its specification about their names and values.
import { parseTime } from '@headrace/event-time';
import { isTraceparent } from '@headrace/tracing';
import { found, type Violation } from './violation';

/** As much as could be read; it is good when no violation was added. */
export interface Attributes {
  readonly id: string | undefined;
  readonly source: string | undefined;
  readonly type: string | undefined;
  readonly subject: string | undefined;
  readonly timeMicros: number | undefined;
  readonly correlationId: string | undefined;
  readonly traceparent: string | undefined;
}

export const NO_ATTRIBUTES: Attributes = {
  id: undefined,
  source: undefined,
  type: undefined,
  subject: undefined,
  timeMicros: undefined,
  correlationId: undefined,
  traceparent: undefined,
};

/** Of an attribute: ids become index keys, and headers of everything that follows from the record. */
const MAX_LENGTH = 512;
/** What CloudEvents forbids in strings: control characters, lone surrogates and Unicode's noncharacters. */
const FORBIDDEN = /[\0-\x1f\x7f-\x9f\p{Surrogate}\p{Noncharacter_Code_Point}]/u;
const NAME = /^[a-z0-9]+$/;
const TEXT = `1 to ${MAX_LENGTH} characters of UTF-8 without control characters`;

/**
 * RFC 3986, URI-reference: with a scheme, or relative, whose first segment then holds no colon. What may stand in an
 * authority may stand in a path, but for the brackets around an IP address.
 */
const CHARACTER = String.raw`[\w\-.~!$&'()*+,;=:@/]|%[0-9A-Fa-f]{2}`;
const BRACKETED = String.raw`//(?:[\w\-.~!$&'()*+,;=:%]*@)?\[[0-9A-Fa-f:.]+\](?::\d*)?(?=[/?#]|$)`;
const AFTER = String.raw`(?:${CHARACTER})*(?:\?(?:${CHARACTER}|\?)*)?(?:#(?:${CHARACTER}|\?)*)?`;
const URI = new RegExp(`^[A-Za-z][A-Za-z0-9+.-]*:(?:${BRACKETED})?${AFTER}$`);
const RELATIVE = new RegExp(`^(?![^/?#]*:)(?:${BRACKETED})?${AFTER}$`);

export function isUriReference(text: string): boolean {
  return URI.test(text) || RELATIVE.test(text);
}

/** `attribute` gives undefined for what is absent; `prefix` and names are for messages. */
export function readAttributes(
  prefix: string,
  attribute: (name: string) => unknown,
  traceparent: unknown,
  violations: Violation[],
): Attributes {
  const specVersion = attribute('specversion');
  if (specVersion !== '1.0') refuse(violations, `${prefix}specversion`, found(specVersion, '"1.0"'));
  const required = (name: string): string | undefined => readText(`${prefix}${name}`, attribute(name), violations);
  const optional = (name: string): string | undefined => (attribute(name) === undefined ? undefined : required(name));
  const id = required('id');
  const source = required('source');
  if (source !== undefined && !isUriReference(source)) {
    refuse(violations, `${prefix}source`, found(source, 'a URI-reference (RFC 3986)'));
  }
  const type = required('type');
  const timeMicros = readTime(`${prefix}time`, attribute('time'), violations);
  const subject = optional('subject');
  const dataSchema = optional('dataschema');
  if (dataSchema !== undefined && !URI.test(dataSchema)) {
    refuse(violations, `${prefix}dataschema`, found(dataSchema, 'an absolute URI (RFC 3986)'));
  }
  // Extensions that other systems may set to any text: taken when they are of use, never a reason to refuse.
  const correlationId = attribute('correlationid');
  return {
    id,
    source,
    type,
    subject,
    timeMicros,
    correlationId: isText(correlationId) ? correlationId : undefined,
    traceparent: typeof traceparent === 'string' && isTraceparent(traceparent) ? traceparent : undefined,
  };
}

/** Names are lower-case letters and digits; `data` is none. */
export function checkName(prefix: string, name: string, violations: Violation[]): void {
  if (NAME.test(name) && name !== 'data') return;
  refuse(violations, `${prefix}${name}`, found(name, 'a name of the letters a-z and digits, other than "data"'));
}

/** CloudEvents has texts, truths and whole numbers of 32 bits, no lists and no objects. */
export function checkType(name: string, value: unknown, violations: Violation[]): void {
  if (typeof value === 'string' || typeof value === 'boolean') return;
  if (typeof value === 'number' && Number.isInteger(value) && value >= -(2 ** 31) && value < 2 ** 31) return;
  refuse(violations, name, found(value, 'a text, true or false, or a whole number of 32 bits'));
}

export function refuse(violations: Violation[], attribute: string, message: string): void {
  violations.push({ field: '', code: 'bad_envelope', message: `${attribute}: ${message}` });
}

function isText(value: unknown): value is string {
  return typeof value === 'string' && value !== '' && value.length <= MAX_LENGTH && !FORBIDDEN.test(value);
}

function readText(name: string, value: unknown, violations: Violation[]): string | undefined {
  if (isText(value)) return value;
  refuse(violations, name, found(value, TEXT));
  return undefined;
}

function readTime(name: string, value: unknown, violations: Violation[]): number | undefined {
  if (value === undefined) return undefined;
  const micros = typeof value === 'string' ? parseTime(value) : undefined;
  if (micros === undefined) refuse(violations, name, found(value, 'an RFC 3339 time with an offset'));
  return micros;
}
