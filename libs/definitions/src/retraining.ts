// What a Monitor's retraining policy says: which signals ask for a new version, and what holds them back.
import { z } from 'zod';
import { Duration, Name } from './scalars';

const TimeOfDay = z
  .string('expected a time of day in quotes, such as "22:00"')
  .regex(/^([01]\d|2[0-3]):[0-5]\d$/, 'expected a time of day, "00:00" to "23:59"');

const TimeZone = z
  .string()
  .max(64)
  .refine(isTimeZone, 'not a time zone that is known here: expected an IANA name, such as Europe/Berlin or UTC');

function isTimeZone(name: string): boolean {
  try {
    new Intl.DateTimeFormat('en', { timeZone: name });
    return true;
  } catch (error) {
    if (error instanceof RangeError) return false;
    throw error;
  }
}

/** Times of each day at which no retraining is asked for; a signal that still stands when they end is answered then. */
const QuietHours = z
  .strictObject({
    from: TimeOfDay,
    /** Itself no longer quiet; before `from`: of the next day. */
    to: TimeOfDay,
    timeZone: TimeZone,
    /** wall: what clocks show in the zone. event: how far event time has come, for data that is played faster than life. */
    clock: z.enum(['wall', 'event']).default('wall'),
  })
  .refine(({ from, to }) => from !== to, {
    path: ['to'],
    message: 'expected another time than "from": hours without end would never let a retraining through',
  });

export const Retraining = z.strictObject({
  plan: Name,
  on: z.array(z.enum(['drift', 'estimate', 'performance', 'concept'])).min(1),
  /** any: one of the signals is enough; all: every one of them must stand at the same time. */
  match: z.enum(['any', 'all']).default('any'),
  /** Event time between two requests. */
  cooldown: Duration.default('7d'),
  /** Requests within one day of the wall clock. */
  maximumPerDay: z.int().min(1).max(1_000).default(10),
  quietHours: QuietHours.optional(),
  /** Requests in a row after which a person has to act before there is another; absent: no bound. */
  maximumWithoutPerson: z.int().min(1).max(1_000).optional(),
});
