import { events } from '@headrace/contracts';
import { MICROS } from '@headrace/event-time';
import { eventually } from '@headrace/testing';
import { DAY_ONE, FEATURES, relatedCases, relatedProfileJson, wholeProfileJson } from './builders';
import { MonitoringSystem } from './running-monitoring';

const PER_DAY = 240;
const DAYS = 5;
const PATIENT = { timeoutMs: 90_000 };
const together = { subject: 'features', statistic: 'reconstruction_error' };
const singles = ['prediction', ...FEATURES].flatMap((subject) => [
  { subject, statistic: 'psi', threshold: 0.25 },
  { subject, statistic: 'ks_p', threshold: 0.01 },
]);
const reference = relatedCases({ seed: 1, days: 20, perDay: PER_DAY, prefix: 'r' });

async function watching(tests: readonly object[], profileJson: string): Promise<MonitoringSystem> {
  const system = new MonitoringSystem();
  await system.start();
  await system.define({ window: '1d', minimumSample: 100, drift: { tests, rule: { k: 1, n: 1 } } });
  await system.deploy({ champion: 1, profile: await system.putProfile(profileJson) });
  const stream = relatedCases({ seed: 2, days: DAYS + 1, perDay: PER_DAY, turnFromDay: DAYS - 1 });
  await system.predictions(stream);
  await system.watermark(DAY_ONE + DAYS * MICROS.d);
  return system;
}

async function driftWindows(system: MonitoringSystem) {
  const { windows } = await system.grpc.getMonitor({ monitor: system.name, lastWindows: 0 });
  return windows.filter((window) => window.kind === 'drift');
}

describe('features that stop going together, on the real log and database', () => {
  let system: MonitoringSystem;

  beforeAll(async () => {
    system = await watching([...singles, together], relatedProfileJson(reference));
  }, 90_000);

  afterAll(() => system.stop(), 30_000);

  it('drift together and not alone, and windows before that do not', async () => {
    await eventually(async () => expect(await driftWindows(system)).toHaveLength(DAYS), PATIENT);
    const crossed = (await driftWindows(system)).map(({ judged, evidence }) => [
      judged,
      evidence.filter((entry) => entry.crossed).map(({ subject, statistic }) => `${subject} ${statistic}`),
    ]);
    expect(crossed).toEqual([
      ...Array.from({ length: DAYS - 1 }, () => [true, []]),
      [true, ['features reconstruction_error']],
    ]);
  }, 120_000);

  it('are named by the event and its alert, with how often that comes by chance', async () => {
    await eventually(() => expect(system.heardOf(events.DriftDetected)).toHaveLength(1), PATIENT);
    const [detected] = system.heardOf(events.DriftDetected);
    const [window] = detected?.data.windows ?? [];
    const found = window?.evidence.find(({ statistic }) => statistic === 'reconstruction_error');
    expect(found).toMatchObject({ subject: 'features', threshold: 3, crossed: true, falseAlarms: 1 / 21 });
    const error = window?.evidence.find(({ statistic }) => statistic === 'mean_reconstruction_error');
    expect(error?.value).toBeGreaterThan(1.5 * (error?.reference ?? Infinity));
    const [raised] = system.heardOf(events.AlertRaised);
    expect(raised?.data.summary).toMatch(/^drift: reconstruction_error of features [\d.]+ at threshold 3\.0000/);
  }, 120_000);
});

describe('a version whose profile says nothing of its features together', () => {
  let system: MonitoringSystem;

  beforeAll(async () => {
    system = await watching([together], wholeProfileJson(reference));
  }, 90_000);

  afterAll(() => system.stop(), 30_000);

  it('has its windows not judged, with the reason', async () => {
    await eventually(async () => expect(await driftWindows(system)).toHaveLength(DAYS), PATIENT);
    for (const { judged, predictions, evidence } of await driftWindows(system)) {
      expect([judged, predictions]).toEqual([false, PER_DAY]);
      expect(evidence.find(({ statistic }) => statistic === 'reconstruction_error')?.notJudged).toContain(
        'the profile of the version says nothing of its features together',
      );
    }
    expect(system.heardOf(events.DriftDetected)).toEqual([]);
  }, 120_000);
});
