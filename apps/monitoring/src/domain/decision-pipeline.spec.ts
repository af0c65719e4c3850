// Windows, hysteresis and policy together, over streams of predictions and labels: no database, no log.
import { kinds, type Monitor } from '@headrace/definitions';
import { MICROS } from '@headrace/event-time';
import { cases, FEATURES, profileOf, type Case } from '../../test/builders';
import { driftOf } from '../../test/windows';
import { stands, turnOf } from './hysteresis';
import { performanceEvidence } from './performance-evidence';
import { decideRetraining, type Signal } from './retraining-policy';

const DAYS = 59;
const PER_DAY = 1_200;

function monitorSpec(overrides: object = {}): Monitor['spec'] {
  return kinds.Monitor.parse({
    apiVersion: 'headrace.dev/v1',
    kind: 'Monitor',
    metadata: { name: 'late-arrivals' },
    spec: {
      endpoint: 'late-arrivals',
      label: { stream: 'arrivals', expression: 'record.delay > 15.0' },
      window: '1d',
      minimumSample: 1_000,
      drift: { tests: [{ subject: 'prediction', statistic: 'psi', threshold: 0.25 }] },
      performance: { tests: [{ statistic: 'brier', worseByFactor: 1.5 }] },
      retraining: { plan: 'late-arrivals', on: ['drift', 'performance'], match: 'all' },
      ...overrides,
    },
  }).spec;
}

type SignalKind = 'drift' | 'performance';

interface Run {
  readonly turnedOn: Record<SignalKind, number>;
  readonly requests: { readonly atDay: number; readonly signal: string }[];
}

function byDay(stream: readonly Case[], timeOf: (one: Case) => number): ReadonlyMap<number, Case[]> {
  const days = new Map<number, Case[]>();
  for (const one of stream) {
    const day = Math.floor(timeOf(one) / MICROS.d);
    const found = days.get(day);
    if (found) found.push(one);
    else days.set(day, [one]);
  }
  return days;
}

/** What the service does with closed windows, one after another; a request stays open to the end. */
function watch(stream: readonly Case[], reference: readonly Case[], spec: Monitor['spec']): Run {
  const profile = profileOf(reference);
  const rules = spec.retraining;
  if (!rules) throw new Error('the spec needs a retraining policy');
  const crossed: Record<SignalKind, boolean[]> = { drift: [], performance: [] };
  const standing = new Map<SignalKind, Signal>();
  const turnedOn: Record<SignalKind, number> = { drift: 0, performance: 0 };
  const requests: Run['requests'] = [];
  const askedOn = byDay(stream, (one) => one.asOfMicros);
  const labelledOn = byDay(stream, (one) => one.labelTimeMicros);
  const start = Math.floor((stream[0]?.asOfMicros ?? 0) / MICROS.d);
  for (let day = start; day < start + DAYS; day += 1) {
    const endMicros = (day + 1) * MICROS.d;
    const asked = askedOn.get(day) ?? [];
    const labelled = labelledOn.get(day) ?? [];
    const rows = asked.map((one) => ({ names: FEATURES, features: one.features, score: one.score }));
    const judged = {
      drift: driftOf(rows, profile, spec.drift, { windowMicros: MICROS.d, minimumSample: spec.minimumSample }),
      performance: performanceEvidence(labelled, profile, spec.performance, spec.decisionThreshold),
    };
    for (const kind of ['drift', 'performance'] as const) {
      if ((kind === 'drift' ? asked : labelled).length < spec.minimumSample) continue;
      crossed[kind].push(judged[kind].crossed);
      const rule = (kind === 'drift' ? spec.drift : spec.performance)?.rule ?? { k: 2, n: 3 };
      const turn = turnOf(standing.has(kind), stands(crossed[kind], rule));
      if (turn === 'off') standing.delete(kind);
      if (turn !== 'on') continue;
      turnedOn[kind] += 1;
      const eventId = `${kind}-${day}`;
      standing.set(kind, { kind, sinceMicros: endMicros, eventId, correlationId: eventId, traceparent: undefined });
    }
    const decision = decideRetraining(rules, {
      standing: [...standing.values()],
      nowEventMicros: endMicros,
      eventClockMicros: endMicros,
      wallClockMicros: endMicros,
      lastRequestEventMicros: undefined,
      requestsWithinDay: 0,
      requestsWithoutPerson: 0,
      rolloutInProgress: false,
      requestOpen: requests.length > 0,
    });
    if (decision.kind === 'request') requests.push({ atDay: day - start, signal: decision.signal.kind });
  }
  return { turnedOn, requests };
}

const reference = cases({ seed: 1, days: 10, perDay: PER_DAY, prefix: 'r' });

describe('a stationary stream', () => {
  it.each([2, 3, 4, 5, 6, 7, 8, 9])('retrains nothing in 59 windows (seed %d)', (seed) => {
    const stream = cases({ seed, days: DAYS + 1, perDay: PER_DAY });
    expect(watch(stream, reference, monitorSpec())).toEqual({ turnedOn: { drift: 0, performance: 0 }, requests: [] });
  });
});

describe('a stream that changes', () => {
  it('retrains once, two windows after the change, by the signal that came last', () => {
    const stream = cases({ seed: 2, days: DAYS + 1, perDay: PER_DAY, driftFromDay: 20 });
    const run = watch(stream, reference, monitorSpec());
    expect(run.turnedOn).toEqual({ drift: 1, performance: 1 });
    expect(run.requests).toEqual([{ atDay: 21, signal: 'performance' }]);
  });

  it('is not retrained by drift alone when the policy wants both', () => {
    const stream = cases({ seed: 2, days: DAYS + 1, perDay: PER_DAY, driftFromDay: 20 });
    const patient = monitorSpec({ performance: { tests: [{ statistic: 'brier', worseByFactor: 50 }] } });
    const run = watch(stream, reference, patient);
    expect(run.turnedOn).toEqual({ drift: 1, performance: 0 });
    expect(run.requests).toEqual([]);
  });
});
