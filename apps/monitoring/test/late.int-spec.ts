import { events } from '@headrace/contracts';
import { MICROS } from '@headrace/event-time';
import { eventually } from '@headrace/testing';
import { cases, DAY_ONE, wholeProfileJson } from './builders';
import { MonitoringSystem } from './running-monitoring';

const PER_DAY = 240;
const PATIENT = { timeoutMs: 60_000 };
const rule = { k: 1, n: 2 };

describe('what comes late, on the real log and database', () => {
  const system = new MonitoringSystem();
  const stream = cases({ seed: 2, days: 3, perDay: PER_DAY });
  const isLate = (index: number): boolean => index % 2 === 1;

  beforeAll(async () => {
    await system.start();
    await system.define({
      window: '1d',
      minimumSample: 100,
      drift: { tests: [{ subject: 'prediction', statistic: 'psi', threshold: 0.3 }], rule },
      performance: { tests: [{ statistic: 'brier', worseByFactor: 1.5 }], rule },
    });
    const reference = cases({ seed: 1, days: 10, perDay: PER_DAY, prefix: 'r' });
    await system.deploy({ champion: 1, profile: await system.putProfile(wholeProfileJson(reference)) });
  }, 90_000);

  afterAll(() => system.stop(), 30_000);

  const windowsOf = async (kind: string) =>
    (await system.grpc.getMonitor({ monitor: system.name, lastWindows: 0 })).windows.filter((one) => one.kind === kind);

  it('has windows judged again with the labels that came after they were closed', async () => {
    await system.predictions(stream);
    await system.labels(stream.filter((_, index) => !isLate(index)));
    await system.watermark(DAY_ONE + 2 * MICROS.d);
    await eventually(async () => expect(await windowsOf('performance')).toHaveLength(2), PATIENT);
    const before = await windowsOf('performance');
    for (const { labels, revisions } of before) expect([labels > 100 && labels < 130, revisions]).toEqual([true, 0]);
    expect(system.heardOf(events.PerformanceDegraded)).toEqual([]);
    // The other half was wrong, and nobody could know.
    const late = stream.filter((one, index) => isLate(index) && one.labelTimeMicros < DAY_ONE + 2 * MICROS.d);
    await system.labels(late.map((one) => ({ ...one, label: one.score > 0.3 ? 0 : 1 })));
    await eventually(async () => {
      const windows = await windowsOf('performance');
      expect(windows.map(({ labels }) => labels > 220)).toEqual([true, true]);
      for (const { revisions } of windows) expect(revisions).toBeGreaterThan(0);
    }, PATIENT);
    const [first] = await windowsOf('performance');
    const brier = (window: typeof first) => window?.evidence.find((entry) => entry.statistic === 'brier')?.value ?? 0;
    expect(brier(first)).toBeGreaterThan(1.5 * brier(before[0]));
    await eventually(() => expect(system.heardOf(events.PerformanceDegraded)).toHaveLength(1), PATIENT);
    expect(system.heardOf(events.AlertRaised).map((event) => event.data.alertId)).toEqual([
      `${system.name}/performance`,
    ]);
  }, 120_000);

  it('has the drift of late requests judged too', async () => {
    const [window] = await windowsOf('drift');
    const extra = cases({ seed: 9, days: 1, perDay: PER_DAY, prefix: 'late', driftFromDay: 0 });
    await system.predictions(extra);
    await eventually(async () => {
      const [again] = await windowsOf('drift');
      expect(again?.predictions).toBe((window?.predictions ?? 0) + PER_DAY);
      expect(again?.evidence.find((entry) => entry.statistic === 'psi')?.crossed).toBe(true);
    }, PATIENT);
    await eventually(() => expect(system.heardOf(events.DriftDetected)).toHaveLength(1), PATIENT);
  }, 90_000);
});
