// RFC 3339 with microseconds, as integers since the epoch (JavaScript dates stop at milliseconds).
const PATTERN = /^(\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2})(?:\.(\d{1,9}))?(Z|[+-]\d{2}:\d{2})$/;

export function formatMicros(micros: number): string {
  const seconds = Math.floor(micros / 1_000_000);
  const fraction = micros - seconds * 1_000_000;
  return `${new Date(seconds * 1000).toISOString().slice(0, -5)}.${String(fraction).padStart(6, '0')}Z`;
}

/** Undefined when the text is no RFC 3339 time. Digits beyond microseconds are cut. */
export function parseMicros(text: string): number | undefined {
  const match = PATTERN.exec(text);
  if (!match) return undefined;
  const [, whole = '', digits = '', zone = 'Z'] = match;
  const seconds = Date.parse(`${whole}${zone}`) / 1000;
  if (Number.isNaN(seconds)) return undefined;
  return seconds * 1_000_000 + Number(digits.slice(0, 6).padEnd(6, '0'));
}

export function nowMicros(): number {
  return Date.now() * 1000;
}
