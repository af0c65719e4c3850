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
  lastRequestEventMicros: undefined,
  requestsWithinDay: 0,
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
    expect(decideRetraining(rules(), one)).toEqual({ kind: 'wait', why: 'no_signal' });
  });

  it('asks for one signal when any is enough, but not for one that is not wanted', () => {
    const drift = circumstances({ standing: [signal('drift')] });
    expect(decideRetraining(rules({ match: 'any' }), drift).kind).toBe('request');
    expect(decideRetraining(rules({ match: 'any', on: ['performance'] }), drift).kind).toBe('wait');
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
    expect(decideRetraining(rules(), circumstances(overrides))).toEqual({ kind: 'wait', why });
  });

  it('asks again when the cool-down is over', () => {
    const later = circumstances({ lastRequestEventMicros: NOW - 7 * MICROS.d });
    expect(decideRetraining(rules(), later).kind).toBe('request');
  });
});
