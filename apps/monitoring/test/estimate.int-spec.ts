import { events } from '@headrace/contracts';
import { MICROS } from '@headrace/event-time';
import { eventually } from '@headrace/testing';
import { DAY_ONE, journeys, regressionProfileJson } from './builders';
import { MonitoringSystem } from './running-monitoring';

const PATIENT = { timeoutMs: 60_000 };

describe('the error of a regression before labels, on the real log and database', () => {
  const system = new MonitoringSystem();

  beforeAll(async () => {
    await system.start();
    const tests = [{ statistic: 'mae', worseByFactor: 1.5 }];
    await system.define(
      { window: '1d', minimumSample: 100, estimate: { tests, rule: { k: 1, n: 1 } } },
      {},
      'regression',
    );
    const profile = await system.putProfile(regressionProfileJson(journeys(1, 1_000, 0.2, { days: 5 })));
    await system.deploy({ champion: 1, profile });
  }, 90_000);

  afterAll(() => system.stop(), 30_000);

  it('degrades with requests whose answers err more, without a single label', async () => {
    await system.predictions([
      ...journeys(2, 200, 0.2),
      ...journeys(3, 200, 0.9, { fromDay: 1 }),
      ...journeys(4, 10, 0.2, { fromDay: 2 }),
    ]);
    await system.watermark(DAY_ONE + 2 * MICROS.d);
    await eventually(() => expect(system.heardOf(events.PerformanceDegraded)).toHaveLength(1), PATIENT);
    const [degraded] = system.heardOf(events.PerformanceDegraded);
    expect(degraded?.data).toMatchObject({
      estimated: true,
      windows: [{ kind: 'estimate', startMicros: DAY_ONE + MICROS.d }],
    });
    const { windows, labelsJoined } = await system.grpc.getMonitor({ monitor: system.name, lastWindows: 0 });
    expect(labelsJoined).toBe(0);
    const maes = windows
      .filter((window) => window.kind === 'estimate')
      .map(({ evidence }) => evidence.find((entry) => entry.statistic === 'mae'));
    expect(maes.map((mae) => mae?.crossed)).toEqual([false, true]);
    // Nine of ten err by 10 on average, the others by 2; the band holds it.
    const [low, high] = [maes[1]?.low ?? Infinity, maes[1]?.high ?? -Infinity];
    expect([low < 9.2, high > 9.2, low > 7]).toEqual([true, true, true]);
  }, 120_000);
});
