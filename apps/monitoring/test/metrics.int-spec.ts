import { events } from '@headrace/contracts';
import { doubleValue } from '@headrace/definitions';
import { MICROS } from '@headrace/event-time';
import { eventually } from '@headrace/testing';
import { cases, DAY_ONE, wholeProfileJson, type Case } from './builders';
import { MonitoringSystem } from './running-monitoring';

const PER_DAY = 240;
const PATIENT = { timeoutMs: 60_000 };
const feeOf = (one: Case): number => Math.round(one.score * 100);

describe('what predictions were worth, on the real log and database', () => {
  const system = new MonitoringSystem();
  const stream = cases({ seed: 2, days: 3, perDay: PER_DAY });
  const ofDayOne = stream.filter((one) => one.labelTimeMicros < DAY_ONE + MICROS.d);

  beforeAll(async () => {
    await system.start();
    await system.define({
      window: '1d',
      minimumSample: 50,
      metrics: [
        {
          name: 'lost',
          expression: 'prediction.score >= 0.5 && label == 0 ? record.fee : 0.0',
          aggregate: 'sum',
          unit: 'EUR',
          test: { above: 1e6 },
        },
        { name: 'far', expression: 'features.distance >= 500', aggregate: 'count' },
        { name: 'delay', expression: 'features.delay', aggregate: 'mean' },
      ],
      performance: { tests: [{ statistic: 'brier', worseByFactor: 10 }], rule: { k: 2, n: 2 } },
    });
    const reference = cases({ seed: 1, days: 10, perDay: PER_DAY, prefix: 'r' });
    await system.deploy({ champion: 1, profile: await system.putProfile(wholeProfileJson(reference)) });
  }, 90_000);

  afterAll(() => system.stop(), 30_000);

  const windowOf = async () =>
    (await system.grpc.getMonitor({ monitor: system.name, lastWindows: 0 })).windows.find(
      (one) => one.kind === 'performance',
    );
  const metricOf = async (name: string) => (await windowOf())?.metrics.find((one) => one.name === name);

  it('is computed over prediction, label, features and the record of the label', async () => {
    await system.predictions(stream);
    await system.labels(stream, (one) => ({ fee: doubleValue(feeOf(one)) }));
    await system.watermark(DAY_ONE + 2 * MICROS.d);
    await eventually(async () => expect(await metricOf('lost')).toBeDefined(), PATIENT);
    const lost = ofDayOne.reduce((sum, one) => sum + (one.score >= 0.5 && one.label === 0 ? feeOf(one) : 0), 0);
    expect(await metricOf('lost')).toMatchObject({
      value: { value: expect.closeTo(lost, 6) },
      unit: 'EUR',
      rows: ofDayOne.length,
      failed: 0,
    });
    expect((await metricOf('far'))?.value?.value).toBe(ofDayOne.filter((one) => (one.features[0] ?? 0) >= 500).length);
    expect(lost).toBeGreaterThan(0);
  }, 120_000);

  it('counts predictions for which it is not known, and goes on', async () => {
    const gone = ofDayOne.filter((one) => Number.isNaN(one.features[1])).length;
    expect(gone).toBeGreaterThan(0);
    expect(await metricOf('delay')).toMatchObject({
      failed: gone,
      failure: 'field not found: delay',
      rows: ofDayOne.length - gone,
    });
  });

  it('follows corrections of labels that come late, and may turn the signal of performance', async () => {
    const before = await metricOf('lost');
    const ofTwoDays = stream.filter((one) => one.labelTimeMicros < DAY_ONE + 2 * MICROS.d - 1);
    const again = ofTwoDays.map((one) => ({ ...one, labelTimeMicros: one.labelTimeMicros + 1 }));
    await system.labels(again, () => ({ fee: doubleValue(1e7) }));
    await eventually(async () => {
      const after = await metricOf('lost');
      expect(after?.rows).toBe(before?.rows);
      expect(after?.value?.value).toBeGreaterThan(1e8);
    }, PATIENT);
    await eventually(() => expect(system.heardOf(events.PerformanceDegraded)).toHaveLength(1), PATIENT);
    const [alert] = system.heardOf(events.AlertRaised);
    expect(alert?.data.summary).toContain('sum of lost');
    expect(alert?.data.summary).not.toContain('NaN');
  }, 120_000);

  it('is a metric, with its interval', async () => {
    const text = await (await fetch(`${system.url}/metrics`)).text();
    const of = (name: string) =>
      text
        .split('\n')
        .filter((line) => line.startsWith(`headrace_monitoring_${name}{`) && line.includes(`"${system.name}"`)).length;
    expect([of('business_metric'), of('business_metric_bound'), of('business_metric_failed_predictions')]).toEqual([
      3, 6, 3,
    ]);
  });
});
