import { events } from '@headrace/contracts';
import type { RetrainingState } from '@headrace/contracts/proto/monitoring/v1/monitoring_service';
import { formatTime, MICROS } from '@headrace/event-time';
import { eventually } from '@headrace/testing';
import { cases, DAY_ONE, profileJson } from './builders';
import { exposed } from './exposed';
import { MonitoringSystem } from './running-monitoring';

const PER_DAY = 240;
const PATIENT = { timeoutMs: 60_000 };

const monitor = {
  window: '1d',
  minimumSample: 100,
  drift: { tests: [{ subject: 'prediction', statistic: 'psi', threshold: 0.25 }], rule: { k: 1, n: 2 } },
  retraining: {
    plan: 'plan',
    on: ['drift'],
    cooldown: '1h',
    quietHours: { from: '00:00', to: '12:00', timeZone: 'UTC', clock: 'event' },
    maximumWithoutPerson: 1,
  },
};

describe('what holds a retraining back, on the real log and database', () => {
  const system = new MonitoringSystem();
  const stream = cases({ seed: 2, days: 5, perDay: PER_DAY, driftFromDay: 1 });

  beforeAll(async () => {
    await system.start();
    await system.define(monitor);
    const reference = cases({ seed: 1, days: 10, perDay: PER_DAY, prefix: 'r' });
    await system.deploy({ champion: 1, profile: await system.putProfile(profileJson(reference)) });
  }, 90_000);

  afterAll(() => system.stop(), 30_000);

  /** Requests up to the end of the day, and event time up to the watermark. */
  async function play(day: number, watermarkMicros: number): Promise<void> {
    const part = stream.slice(day * PER_DAY, (day + 1) * PER_DAY);
    await system.predictions(part);
    await system.labels(part);
    await system.watermark(watermarkMicros);
  }
  const stateOf = async (): Promise<RetrainingState | undefined> =>
    (await system.grpc.getMonitor({ monitor: system.name, lastWindows: 1 })).retraining;
  const withheld = () => system.heardOf(events.RetrainingWithheld);
  const requested = () => system.heardOf(events.RetrainingRequested);
  const noon = DAY_ONE + 2 * MICROS.d + 12 * MICROS.h;

  it('are quiet hours, which are told of with their end', async () => {
    await play(0, DAY_ONE + MICROS.h);
    await play(1, DAY_ONE + MICROS.d);
    await play(2, DAY_ONE + 2 * MICROS.d);
    await eventually(() => expect(withheld()).toHaveLength(1), PATIENT);
    const [drift] = system.heardOf(events.DriftDetected);
    const reason = `quiet hours until ${formatTime(noon)} (12:00 UTC) of event time`;
    expect(withheld()[0]).toMatchObject({
      causationId: drift?.eventId,
      data: { signal: 'drift', signalEventId: drift?.eventId, why: 'quiet_hours', reason, untilMicros: noon },
    });
    expect(await stateOf()).toMatchObject({ waits: 'quiet_hours', reason, untilMicros: noon, maximumWithoutPerson: 1 });
    const { decisions } = await system.grpc.getMonitor({ monitor: system.name, lastWindows: 1 });
    expect(decisions.at(-1)).toMatchObject({
      type: events.RetrainingWithheld.type,
      summary: `retraining by plan not requested: ${reason}`,
    });
    expect(await heldFor('quiet_hours')).toBe(1);
  }, 90_000);

  it('end: the signal still stands, across a restart, and is answered', async () => {
    await system.stopService();
    await system.startService();
    await play(3, noon);
    await eventually(() => expect(requested()).toHaveLength(1), PATIENT);
    const [drift] = system.heardOf(events.DriftDetected);
    expect(requested()[0]).toMatchObject({ causationId: drift?.eventId, data: { signalEventId: drift?.eventId } });
    expect(withheld()).toHaveLength(1);
    expect(await stateOf()).toMatchObject({ waits: 'request_open', requestsWithoutPerson: 1 });
    expect(await heldFor('quiet_hours')).toBe(0);
  }, 90_000);

  const training = (runId: string, trigger: string, requestedBy: string) => ({
    runId,
    plan: 'plan',
    planVersion: 'sha256:1',
    model: system.name,
    trigger,
    reason: 'because',
    datasets: [],
    fromEventTimeMicros: 0,
    toEventTimeMicros: 0,
    shuffleLabels: false,
    requestedBy,
  });
  const failed = (runId: string) => ({ runId, plan: 'plan', step: 'fit', code: 'too_few', message: 'too few rows' });

  it('is a person who has not acted after so many requests in a row', async () => {
    const [request] = requested();
    const runId = `${system.name}-by-policy`;
    const cause = { eventId: request?.eventId ?? '', correlationId: 'loop' };
    await system.publish(events.TrainingRequested, [training(runId, 'drift', 'policy')], { cause });
    await system.publish(events.TrainingFailed, [failed(runId)]);
    await play(4, DAY_ONE + 4 * MICROS.d + 13 * MICROS.h);
    await eventually(() => expect(withheld()).toHaveLength(2), PATIENT);
    expect(withheld()[1]?.data).toMatchObject({ why: 'person_needed', untilMicros: undefined });
    expect(await stateOf()).toMatchObject({ waits: 'person_needed', requestsWithoutPerson: 1 });
    await system.stopService();
    await system.startService();
    await eventually(async () => expect(await heldFor('person_needed')).toBe(1), PATIENT);
    expect(requested()).toHaveLength(1);
  }, 90_000);

  it('goes on once a person has trained by hand, and that training has ended', async () => {
    const runId = `${system.name}-by-hand`;
    await system.publish(events.TrainingRequested, [training(runId, 'manual', 'a-person')]);
    await eventually(
      async () => expect(await stateOf()).toMatchObject({ waits: 'request_open', requestsWithoutPerson: 0 }),
      PATIENT,
    );
    expect(requested()).toHaveLength(1);
    await system.publish(events.TrainingFailed, [failed(runId)]);
    await eventually(() => expect(requested()).toHaveLength(2), PATIENT);
    expect(await stateOf()).toMatchObject({ waits: 'request_open', requestsWithoutPerson: 1 });
  }, 90_000);

  it('counts anew after what a person did about a rollout, not after what registry did by itself', async () => {
    const changed = (actor: string, version: number) => ({
      endpoint: system.name,
      model: system.name,
      change: 'paused',
      version,
      previousVersion: 1,
      reason: 'because',
      actor,
      generation: version,
    });
    const withoutPerson = async () => (await stateOf())?.requestsWithoutPerson;
    const runId = `${system.name}-by-policy-again`;
    const cause = { eventId: requested()[1]?.eventId ?? '', correlationId: 'loop' };
    await system.publish(events.EndpointChanged, [changed('policy', 2)]);
    await system.publish(events.EndpointChanged, [{ ...changed('policy', 3), change: 'rolled_back' }]);
    await system.publish(events.TrainingRequested, [training(runId, 'drift', 'policy')], { cause });
    await system.publish(events.TrainingFailed, [failed(runId)]);
    await eventually(async () => expect((await stateOf())?.waits).not.toBe('request_open'), PATIENT);
    expect(await withoutPerson()).toBe(1);
    await system.publish(events.EndpointChanged, [changed('a-person', 4)]);
    await eventually(async () => expect(await withoutPerson()).toBe(0), PATIENT);
  }, 90_000);

  function heldFor(reason: string): Promise<number> {
    return exposed('headrace_monitoring_retraining_held', { monitor: system.name, reason });
  }
});
