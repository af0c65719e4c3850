// Times of day in which nothing is asked for, in a zone whose clocks may be changed twice a year.
import type { Monitor } from '@headrace/definitions';
import { MICROS } from '@headrace/event-time';

export type QuietHours = NonNullable<NonNullable<Monitor['spec']['retraining']>['quietHours']>;

const MINUTES_OF_DAY = 24 * 60;
/** A day, and clocks set back within it. */
const LONGEST_MINUTES = MINUTES_OF_DAY + 3 * 60;

/** When the quiet hours end that the moment lies in; undefined: it lies in none. Microseconds since the epoch. */
export function quietUntil({ from, to, timeZone }: QuietHours, micros: number): number | undefined {
  const [first, end] = [minuteOf(from), minuteOf(to)];
  const isQuiet = (minute: number): boolean =>
    first < end ? minute >= first && minute < end : minute >= first || minute < end;
  const local = localMinute(timeZone, micros);
  if (!isQuiet(local)) return undefined;
  const thisMinute = Math.floor(micros / MICROS.m) * MICROS.m;
  const left = (end - local + MINUTES_OF_DAY) % MINUTES_OF_DAY;
  // Exact unless the zone's clocks are changed meanwhile: the hour at which they end may then not exist, or come twice.
  const usual = thisMinute + left * MICROS.m;
  if (localMinute(timeZone, usual) === end) return usual;
  for (let minutes = 1; minutes <= LONGEST_MINUTES; minutes += 1) {
    const later = thisMinute + minutes * MICROS.m;
    if (!isQuiet(localMinute(timeZone, later))) return later;
  }
  throw new RangeError(`quiet hours from ${from} to ${to} in ${timeZone} do not end within a day`);
}

function minuteOf(timeOfDay: string): number {
  return Number(timeOfDay.slice(0, 2)) * 60 + Number(timeOfDay.slice(3));
}

/** Making one costs more than using it a thousand times; zones are those of the definitions. */
const formats = new Map<string, Intl.DateTimeFormat>();

/** Minutes since midnight that a clock in the zone shows. */
function localMinute(timeZone: string, micros: number): number {
  let format = formats.get(timeZone);
  if (!format) {
    format = new Intl.DateTimeFormat('en-GB', { timeZone, hour: '2-digit', minute: '2-digit', hourCycle: 'h23' });
    formats.set(timeZone, format);
  }
  return minuteOf(format.format(micros / MICROS.ms));
}
