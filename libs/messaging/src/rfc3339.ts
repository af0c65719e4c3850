// RFC 3339 with microseconds, as integers since the epoch (JavaScript dates stop at milliseconds).
const PATTERN = /^(\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2})(?:\.(\d{1,9}))?(Z|[+-]\d{2}:\d{2})$/;

/** Events come by the thousand within a second: its text, and the number of a text, are kept for the next one. */
let formatted = { seconds: Number.NaN, text: '' };
let parsed = { text: '', second: '', seconds: Number.NaN };

export function formatMicros(micros: number): string {
  const seconds = Math.floor(micros / 1_000_000);
  const fraction = micros - seconds * 1_000_000;
  if (formatted.seconds !== seconds) {
    formatted = { seconds, text: new Date(seconds * 1000).toISOString().slice(0, -5) };
  }
  return `${formatted.text}.${String(fraction).padStart(6, '0')}Z`;
}

/** Undefined when the text is no RFC 3339 time. Digits beyond microseconds are cut. */
export function parseMicros(given: string): number | undefined {
  return microsOfSameSecond(given) ?? microsOf(given);
}

const OUR_LENGTH = '2026-01-01T00:00:00.000000Z'.length;
const DOT_AT = 19;

/** Of a text as formatMicros makes it, in the second that was read last; undefined: it must be looked at. */
function microsOfSameSecond(given: string): number | undefined {
  if (given.length !== OUR_LENGTH || given[OUR_LENGTH - 1] !== 'Z' || given[DOT_AT] !== '.') return undefined;
  if (Number.isNaN(parsed.seconds) || !parsed.text.endsWith('Z') || !given.startsWith(parsed.second)) {
    return undefined;
  }
  let fraction = 0;
  for (let at = DOT_AT + 1; at < OUR_LENGTH - 1; at += 1) {
    const digit = given.charCodeAt(at) - 48;
    if (!(digit >= 0 && digit <= 9)) return undefined;
    fraction = fraction * 10 + digit;
  }
  return parsed.seconds * 1_000_000 + fraction;
}

function microsOf(given: string): number | undefined {
  const match = PATTERN.exec(given);
  if (!match) return undefined;
  const [, whole = '', digits = '', zone = 'Z'] = match;
  const text = `${whole}${zone}`;
  if (parsed.text !== text) parsed = { text, second: whole, seconds: Date.parse(text) / 1000 };
  const { seconds } = parsed;
  if (Number.isNaN(seconds)) return undefined;
  return seconds * 1_000_000 + Number(digits.slice(0, 6).padEnd(6, '0'));
}

export function nowMicros(): number {
  return Date.now() * 1000;
}
