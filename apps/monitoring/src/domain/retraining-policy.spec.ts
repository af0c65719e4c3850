import { MICROS } from '@headrace/event-time';
import { decideRetraining, type Circumstances, type RetrainingRules, type Signal } from './retraining-policy';

const NOW = 1_000 * MICROS.d;

const rules = (overrides: Partial<RetrainingRules> = {}): RetrainingRules => ({
  plan: 'plan',
  on: ['drift', 'performance'],
  match: 'all',
  cooldown: '7d',
  maximumPerDay: 2,
  ...overrides,
});

const signal = (kind: Signal['kind'], sinceMicros = NOW): Signal => ({
  kind,
  sinceMicros,
  eventId: `${kind}-event`,
  correlationId: 'loop',
  traceparent: undefined,
});

const circumstances = (overrides: Partial<Circumstances> = {}): Circumstances => ({
  standing: [signal('drift', NOW - MICROS.d), signal('performance')],
  nowEventMicros: NOW,
  eventClockMicros: NOW,
  wallClockMicros: NOW,
  lastRequestEventMicros: undefined,
  requestsWithinDay: 0,
  requestsWithoutPerson: 0,
  rolloutInProgress: false,
  requestOpen: false,
  ...overrides,
});

describe('the retraining policy', () => {
  it('asks when both signals stand, because of the later one', () => {
    expect(decideRetraining(rules(), circumstances())).toMatchObject({
      kind: 'request',
      signal: { eventId: 'performance-event' },
      reason: 'drift and performance stand at the same time',
    });
  });

  it('waits for the other signal when all are wanted', () => {
    const one = circumstances({ standing: [signal('drift')] });
    expect(decideRetraining(rules(), one)).toEqual({ kind: 'no_signal' });
  });

  it('asks for one signal when any is enough, but not for one that is not wanted', () => {
    const drift = circumstances({ standing: [signal('drift')] });
    expect(decideRetraining(rules({ match: 'any' }), drift).kind).toBe('request');
    expect(decideRetraining(rules({ match: 'any', on: ['performance'] }), drift).kind).toBe('no_signal');
  });

  it.each([
    ['a rollout is in progress', { rolloutInProgress: true }, 'rollout_in_progress'],
    ['a request is open', { requestOpen: true }, 'request_open'],
    [
      'the last request is less than a cool-down of event time ago',
      { lastRequestEventMicros: NOW - 6 * MICROS.d },
      'cooldown',
    ],
    ['the day has seen its maximum', { requestsWithinDay: 2 }, 'daily_maximum'],
  ] as const)('waits while %s', (_, overrides, why) => {
    expect(decideRetraining(rules(), circumstances(overrides))).toMatchObject({
      kind: 'held',
      why,
      signal: { kind: 'performance' },
    });
  });

  it('asks again when the cool-down is over', () => {
    const later = circumstances({ lastRequestEventMicros: NOW - 7 * MICROS.d });
    expect(decideRetraining(rules(), later).kind).toBe('request');
  });

  it('tells when the cool-down is over', () => {
    const last = circumstances({ lastRequestEventMicros: NOW - 6 * MICROS.d });
    expect(decideRetraining(rules(), last)).toMatchObject({ why: 'cooldown', untilMicros: NOW + MICROS.d });
  });

  describe('with quiet hours', () => {
    const quietHours = { from: '22:00', to: '06:00', timeZone: 'UTC', clock: 'wall' } as const;
    const at = (hours: number): Partial<Circumstances> => ({ wallClockMicros: NOW + hours * MICROS.h });

    it('holds the request until they end, and asks then for the signal that still stands', () => {
      expect(decideRetraining(rules({ quietHours }), circumstances(at(23)))).toMatchObject({
        kind: 'held',
        why: 'quiet_hours',
        reason: 'quiet hours until 1972-09-28T06:00:00.000000Z (06:00 UTC)',
        untilMicros: NOW + 30 * MICROS.h,
      });
      expect(decideRetraining(rules({ quietHours }), circumstances(at(30))).kind).toBe('request');
    });

    it('goes by event time where that is asked for, whatever clocks on walls show', () => {
      const ofEvents = rules({ quietHours: { ...quietHours, clock: 'event' } });
      const quiet = circumstances({ ...at(12), eventClockMicros: NOW + MICROS.h });
      expect(decideRetraining(ofEvents, quiet)).toMatchObject({
        why: 'quiet_hours',
        reason: 'quiet hours until 1972-09-27T06:00:00.000000Z (06:00 UTC) of event time',
      });
      const day = circumstances({ ...at(23), eventClockMicros: NOW + 12 * MICROS.h });
      expect(decideRetraining(ofEvents, day).kind).toBe('request');
    });
  });

  describe('with a maximum without a person', () => {
    const bounded = rules({ maximumWithoutPerson: 3 });

    it('asks so many times in a row', () => {
      expect(decideRetraining(bounded, circumstances({ requestsWithoutPerson: 2 })).kind).toBe('request');
    });

    it('then waits for a person, and says so rather than what time does away with', () => {
      const after = circumstances({ requestsWithoutPerson: 3, lastRequestEventMicros: NOW });
      expect(decideRetraining(bounded, after)).toMatchObject({
        kind: 'held',
        why: 'person_needed',
        reason: '3 automatic requests in a row, at most 3: it waits for a person to train or roll out by hand',
        untilMicros: undefined,
      });
    });

    it('has no bound unless it is declared', () => {
      expect(decideRetraining(rules(), circumstances({ requestsWithoutPerson: 1_000 })).kind).toBe('request');
    });
  });
});
