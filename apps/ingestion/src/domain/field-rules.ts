import type { Value } from '@headrace/contracts/proto/common/v1/common';
import {
  boolValue,
  doubleValue,
  intValue,
  missing,
  stringValue,
  timeValue,
  type DataStream,
} from '@headrace/definitions';
import { parseTime } from '@headrace/event-time';
import { PATTERN_MAX_LENGTH } from './bounded-pattern';
import { found, type Violation } from './violation';

export type FieldDefinition = DataStream['spec']['fields'][string];

/** Takes a JSON value as it stands: nothing is converted from text to number or the other way. */
export type FieldRule = (value: unknown, violations: Violation[]) => Value | undefined;

/** U+0000 cannot be kept by Postgres, a lone surrogate cannot be written as UTF-8. */
const UNSTORABLE = /[\0\p{Surrogate}]/u;
/** For microseconds as whole numbers: within ±(2^53 − 1), the years 1684 to 2255. */
const EARLIEST = '1684-07-28T00:12:26Z';
const LATEST = '2255-06-05T23:47:34Z';

/** Compiles one field. `refused` values give undefined and at least one violation; absent optional ones a Value without kind. */
export function fieldRule(name: string, field: FieldDefinition): FieldRule {
  const check = checks[field.type](field);
  const expected = expectationOf(field);
  return (value, violations) => {
    if (value === undefined || value === null) {
      if (!field.required) return missing;
      violations.push({ field: name, code: 'missing', message: found(value, expected) });
      return undefined;
    }
    const result = check(value);
    if (typeof result !== 'string') return result;
    violations.push({ field: name, code: result, message: found(value, expected) });
    return undefined;
  };
}

type Check = (value: unknown) => Value | 'wrong_type' | 'out_of_range' | 'not_allowed';

const checks: Readonly<Record<FieldDefinition['type'], (field: FieldDefinition) => Check>> = {
  bool: () => (value) => (typeof value === 'boolean' ? boolValue(value) : 'wrong_type'),
  int: (field) => {
    const rangeOf = numberRange(field);
    return (value) => {
      if (typeof value !== 'number') return 'wrong_type';
      if (!Number.isSafeInteger(value))
        return Number.isInteger(value) || !Number.isFinite(value) ? 'out_of_range' : 'wrong_type';
      return rangeOf(value) ?? intValue(value === 0 ? 0 : value);
    };
  },
  double: (field) => {
    const rangeOf = numberRange(field);
    return (value) => {
      if (typeof value !== 'number') return 'wrong_type';
      // JSON has no infinity, but 1e400 is read as one.
      return Number.isFinite(value) ? (rangeOf(value) ?? doubleValue(value)) : 'out_of_range';
    };
  },
  string: (field) => {
    const allowed = field.oneOf && new Set<unknown>(field.oneOf);
    const pattern = field.pattern === undefined ? undefined : new RegExp(field.pattern, 'u');
    const maxLength = field.maxLength ?? (pattern ? PATTERN_MAX_LENGTH : Infinity);
    return (value) => {
      if (typeof value !== 'string') return 'wrong_type';
      if (value.length > maxLength) return 'out_of_range';
      if (UNSTORABLE.test(value) || allowed?.has(value) === false || pattern?.test(value) === false)
        return 'not_allowed';
      return stringValue(value);
    };
  },
  timestamp: () => (value) => {
    if (typeof value !== 'string') return 'wrong_type';
    const micros = parseTime(value);
    if (micros === undefined || !isCalendarDay(value)) return 'wrong_type';
    return Number.isSafeInteger(micros) ? timeValue(micros) : 'out_of_range';
  },
};

function numberRange(field: FieldDefinition): (value: number) => 'out_of_range' | 'not_allowed' | undefined {
  const { min = -Infinity, max = Infinity } = field;
  const allowed = field.oneOf && new Set<unknown>(field.oneOf);
  return (value) => {
    if (value < min || value > max) return 'out_of_range';
    return allowed?.has(value) === false ? 'not_allowed' : undefined;
  };
}

/** JavaScript reads 30 February as 2 March. */
function isCalendarDay(time: string): boolean {
  const day = Number(time.slice(8, 10));
  if (day <= 28) return true;
  return new Date(Date.UTC(Number(time.slice(0, 4)), Number(time.slice(5, 7)) - 1, day)).getUTCDate() === day;
}

/** What would be right, for people. */
function expectationOf(field: FieldDefinition): string {
  const parts = {
    bool: 'true or false',
    int: 'a whole number within ±(2^53 − 1)',
    double: 'a finite number',
    string: 'a text',
    timestamp: `an RFC 3339 time with an offset, such as "2001-01-31T12:00:00Z", from ${EARLIEST} to ${LATEST}`,
  };
  const rules: string[] = [parts[field.type]];
  if (field.min !== undefined) rules.push(`at least ${field.min}`);
  if (field.max !== undefined) rules.push(`at most ${field.max}`);
  const maxLength = field.maxLength ?? (field.pattern === undefined ? undefined : PATTERN_MAX_LENGTH);
  if (maxLength !== undefined) rules.push(`at most ${maxLength} characters long`);
  if (field.pattern !== undefined) rules.push(`matching ${field.pattern}`);
  if (field.oneOf !== undefined) rules.push(`one of ${JSON.stringify(field.oneOf).slice(0, 200)}`);
  if (field.type === 'string') rules.push('without U+0000 and lone surrogates');
  return rules.join(', ');
}
