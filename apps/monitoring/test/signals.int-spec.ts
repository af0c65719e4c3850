import { events } from '@headrace/contracts';
import { DriftKind } from '@headrace/contracts/proto/monitoring/v1/monitoring_events';
import { MICROS } from '@headrace/event-time';
import { eventually } from '@headrace/testing';
import { register } from 'prom-client';
import { cases, DAY_ONE, wholeProfileJson, type Case } from './builders';
import { MonitoringSystem } from './running-monitoring';

const PER_DAY = 240;
const PATIENT = { timeoutMs: 60_000 };
const rule = { k: 1, n: 2 };

const monitor = {
  window: '1d',
  minimumSample: 100,
  decisionThreshold: 0.3,
  drift: { tests: [{ subject: 'prediction', statistic: 'psi', falseAlarms: 0.05 }], rule },
  estimate: { tests: [{ statistic: 'recall', worseBy: 0.2 }], rule },
  performance: { tests: [{ statistic: 'brier', worseByFactor: 1.5 }], rule },
  concept: { detectors: [{ detector: 'ddm', deviations: 5 }, { detector: 'adwin' }], rule },
  retraining: { plan: 'plan', on: ['estimate', 'concept'], match: 'all' },
};

describe('signals that need no labels, and what labels then say, on the real log and database', () => {
  const system = new MonitoringSystem();
  const stream = cases({ seed: 2, days: 6, perDay: PER_DAY, driftFromDay: 3 });

  beforeAll(async () => {
    await system.start();
    await system.define(monitor);
    const reference = cases({ seed: 1, days: 30, perDay: PER_DAY, prefix: 'r' });
    await system.deploy({ champion: 1, profile: await system.putProfile(wholeProfileJson(reference)) });
  }, 90_000);

  afterAll(() => system.stop(), 30_000);

  async function play(fromDay: number, toDay: number, labelled = true): Promise<void> {
    const part = stream.filter((one: Case) => {
      const day = (one.asOfMicros - DAY_ONE) / MICROS.d;
      return day >= fromDay && day < toDay;
    });
    await system.predictions(part);
    if (labelled) await system.labels(part);
  }
  const windowsOf = async (kind: string) =>
    (await system.grpc.getMonitor({ monitor: system.name, lastWindows: 0 })).windows.filter((one) => one.kind === kind);

  it('judge quiet days by thresholds of the reference, with the estimate beside what labels say', async () => {
    await play(0, 3);
    await system.watermark(DAY_ONE + 2 * MICROS.d);
    await eventually(async () => expect(await windowsOf('concept')).toHaveLength(2), PATIENT);
    const [drift] = await windowsOf('drift');
    const psi = drift?.evidence.find((entry) => entry.subject === 'prediction' && entry.statistic === 'psi');
    expect(psi?.threshold).toBeGreaterThan(0.005);
    expect(psi?.threshold).toBeLessThan(0.25);
    expect(drift?.falseAlarms).toBeCloseTo(1 / 31, 9);
    const [estimate] = await windowsOf('estimate');
    const [measured] = await windowsOf('performance');
    for (const { statistic, low = 1, high = 0 } of estimate?.evidence ?? []) {
      const value = measured?.evidence.find((entry) => entry.statistic === statistic)?.value ?? Number.NaN;
      expect([statistic, low <= value, value <= high]).toEqual([statistic, true, true]);
    }
    expect(system.heardOf(events.DriftDetected)).toEqual([]);
    expect(system.heardOf(events.PerformanceDegraded)).toEqual([]);
  }, 90_000);

  it('go on after a restart where they stood, and see the change on both sides', async () => {
    await system.stopService();
    await system.startService();
    await play(3, 6);
    await system.watermark(DAY_ONE + 5 * MICROS.d);
    await eventually(() => expect(system.heardOf(events.RetrainingRequested)).toHaveLength(1), PATIENT);
    await eventually(() => expect(system.heardOf(events.PerformanceDegraded)).toHaveLength(2), PATIENT);
    const drifts = system.heardOf(events.DriftDetected).map((event) => event.data);
    const data = drifts.find((event) => event.kind === DriftKind.DATA);
    const concept = drifts.find((event) => event.kind === DriftKind.CONCEPT);
    expect(drifts).toHaveLength(2);
    // 1 of 2 at 1/31 a window: 31 windows of a day.
    expect(data?.expectedRun?.windows).toBeCloseTo(31, 6);
    expect(data?.expectedRun?.seconds).toBeCloseTo(31 * 86_400, 0);
    expect(concept?.expectedRun).toBeUndefined();
    expect(
      concept?.windows
        .at(-1)
        ?.evidence.filter((entry) => entry.crossed)
        .map((entry) => entry.statistic),
    ).toContain('adwin');
    const degraded = system.heardOf(events.PerformanceDegraded).map((event) => event.data);
    const [estimated, measured] = [true, false].map((wanted) => degraded.find((event) => event.estimated === wanted));
    expect(estimated?.explanation).toBeUndefined();
    expect(measured?.explanation).toMatchObject({ inputsDrifted: true, relationChanged: true });
    expect(measured?.explanation?.measured).toBeGreaterThan(measured?.explanation?.expected ?? 1);
    const [request] = system.heardOf(events.RetrainingRequested);
    expect(['estimate', 'concept']).toContain(request?.data.signal);
    expect(
      system
        .heardOf(events.AlertRaised)
        .map((event) => event.data.alertId)
        .sort(),
    ).toEqual(['concept', 'drift', 'estimate', 'performance'].map((kind) => `${system.name}/${kind}`));
  }, 120_000);

  it('are metrics, more than thirty of one model without being asked', async () => {
    const lines = (await register.metrics()).split('\n').filter((line) => line.includes(`model="${system.name}"`));
    expect(lines.length).toBeGreaterThan(30);
    const valueOf = (name: string, ...labels: string[]): number =>
      Number(
        lines
          .find((line) => line.startsWith(name) && labels.every((label) => line.includes(label)))
          ?.split(' ')
          .at(-1),
      );
    expect(valueOf('headrace_monitoring_false_alarm_run_seconds', 'signal="drift"')).toBeCloseTo(31 * 86_400, 0);
    expect(valueOf('headrace_monitoring_estimated_performance', 'metric="recall"', 'bound="high"')).toBeLessThan(0.5);
    expect(valueOf('headrace_monitoring_performance_bound', 'metric="f1"', 'bound="low"')).toBeGreaterThanOrEqual(0);
    expect(valueOf('headrace_monitoring_signal_stands', 'signal="concept"')).toBe(1);
  });

  it('are one page of status, with how seldom drift alarms by chance', async () => {
    const { monitors } = await system.grpc.getStatus();
    const status = monitors.find((one) => one.monitor === system.name);
    expect(status).toMatchObject({ model: system.name, endpoint: system.name, championVersion: 1 });
    expect(status?.standing).toEqual(['concept', 'drift', 'estimate', 'performance']);
    expect(status?.windows.map((window) => window.kind).sort()).toEqual([
      'concept',
      'drift',
      'estimate',
      'performance',
    ]);
    expect(status?.expectedRun?.windows).toBeCloseTo(31, 6);
    // The change came on the day that crossed: from its start to its end.
    expect(status?.loop).toMatchObject({ driftToDetectedSeconds: 86_400, deploymentsPerDay: 0 });
    expect(status?.loop?.detectedToTrainedSeconds).toBeUndefined();
  });
});
