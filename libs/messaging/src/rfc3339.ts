// RFC 3339 with microseconds, as integers since the epoch (JavaScript dates stop at milliseconds).
const PATTERN = /^(\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2})(?:\.(\d{1,9}))?(Z|[+-]\d{2}:\d{2})$/;

/** Events come by the thousand within a second: its text, and the number of a text, are kept for the next one. */
let formatted = { seconds: Number.NaN, text: '' };
let parsed = { text: '', seconds: Number.NaN };

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
  const match = PATTERN.exec(given);
  if (!match) return undefined;
  const [, whole = '', digits = '', zone = 'Z'] = match;
  const text = `${whole}${zone}`;
  if (parsed.text !== text) parsed = { text, seconds: Date.parse(text) / 1000 };
  const { seconds } = parsed;
  if (Number.isNaN(seconds)) return undefined;
  return seconds * 1_000_000 + Number(digits.slice(0, 6).padEnd(6, '0'));
}

export function nowMicros(): number {
  return Date.now() * 1000;
}
