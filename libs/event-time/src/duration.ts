/** Microseconds in one of each unit. */
export const MICROS = { ms: 1_000, s: 1_000_000, m: 60_000_000, h: 3_600_000_000, d: 86_400_000_000 } as const;

const DURATION = /^(\d{1,9})(ms|s|m|h|d)$/;

/** "3h" → microseconds. Whole positive numbers of ms, s, m, h or d; throws a RangeError that says so. */
export function parseDuration(text: string): number {
  const match = DURATION.exec(text);
  const amount = Number(match?.[1]);
  if (!match || amount === 0) {
    throw new RangeError(
      `"${text}" is not a duration: expected a whole number above 0 and a unit, such as 500ms, 30s, 10m, 3h or 7d`,
    );
  }
  return amount * MICROS[match[2] as keyof typeof MICROS];
}

/** Microseconds → the largest unit that is exact: 10800000000 → "3h". */
export function formatDuration(micros: number): string {
  for (const unit of ['d', 'h', 'm', 's'] as const) {
    if (micros % MICROS[unit] === 0) return `${micros / MICROS[unit]}${unit}`;
  }
  return `${micros / MICROS.ms}ms`;
}

/** The clock of this machine, microseconds since the epoch (UTC). */
export function nowMicros(): number {
  return Date.now() * 1_000;
}

/** ISO 8601 with microseconds: 2001-01-01T00:00:00.000000Z. */
export function formatTime(micros: number): string {
  const seconds = Math.floor(micros / 1e6);
  const fraction = String(micros - seconds * 1e6).padStart(6, '0');
  return `${new Date(seconds * 1_000).toISOString().slice(0, 19)}.${fraction}Z`;
}

const RFC3339 = /^(\d{4}-\d{2}-\d{2})[Tt ](\d{2}:\d{2}:\d{2})(?:\.(\d{1,9}))?([Zz]|[+-]\d{2}:\d{2})$/;

/** RFC 3339 (offset required) → microseconds, digits beyond microseconds cut off; undefined when it is none. */
export function parseTime(text: string): number | undefined {
  const match = RFC3339.exec(text);
  if (!match) return undefined;
  const milliseconds = Date.parse(`${match[1]}T${match[2]}${match[4]?.toUpperCase()}`);
  if (Number.isNaN(milliseconds)) return undefined;
  return milliseconds * 1_000 + Number((match[3] ?? '').padEnd(6, '0').slice(0, 6));
}
