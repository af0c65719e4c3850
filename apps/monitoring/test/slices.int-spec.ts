import { MICROS } from '@headrace/event-time';
import { eventually } from '@headrace/testing';
import { cases, DAY_ONE, wholeProfileJson } from './builders';
import { MonitoringSystem } from './running-monitoring';

const PER_DAY = 240;
const PATIENT = { timeoutMs: 60_000 };
const EDGE = 500;

describe('windows by slice, on the real log and database', () => {
  const system = new MonitoringSystem();
  const stream = cases({ seed: 2, days: 3, perDay: PER_DAY });
  const isFar = (index: number): boolean => (stream[index]?.features[0] ?? 0) >= EDGE;

  beforeAll(async () => {
    await system.start();
    await system.define({
      window: '1d',
      minimumSample: 50,
      slices: [
        { feature: 'distance', edges: [EDGE], minimumSample: 20 },
        { feature: 'weekend', values: [0, 1] },
      ],
    });
    const reference = cases({ seed: 1, days: 10, perDay: PER_DAY, prefix: 'r' });
    await system.deploy({ champion: 1, profile: await system.putProfile(wholeProfileJson(reference)) });
  }, 90_000);

  afterAll(() => system.stop(), 30_000);

  const windowsOf = async (kind: string) =>
    (await system.grpc.getMonitor({ monitor: system.name, lastWindows: 0 })).windows.filter((one) => one.kind === kind);
  const groupOf = async (kind: string, group: string, slice = 'distance') =>
    (await windowsOf(kind))[0]?.slices.find((one) => one.slice === slice && one.group === group);

  it('tells the group whose answers are wrong from the others, also when its labels come late', async () => {
    await system.predictions(stream);
    // Of what is far only the half has its label in time.
    await system.labels(stream.filter((_, index) => !isFar(index) || index % 2 === 0));
    await system.watermark(DAY_ONE + 2 * MICROS.d);
    await eventually(async () => expect((await windowsOf('performance')).length).toBeGreaterThanOrEqual(1), PATIENT);
    const [near, far] = [await groupOf('performance', `< ${EDGE}`), await groupOf('performance', `>= ${EDGE}`)];
    expect(far?.rows).toBeLessThan((near?.rows ?? 0) * 0.75);
    const late = stream.filter(
      (one, index) => isFar(index) && index % 2 === 1 && one.labelTimeMicros < DAY_ONE + MICROS.d,
    );
    await system.labels(late.map((one) => ({ ...one, label: one.score > 0.3 ? 0 : 1 })));
    await eventually(async () => {
      const group = await groupOf('performance', `>= ${EDGE}`);
      expect(group?.rows).toBe((far?.rows ?? 0) + late.length);
      expect(group?.measures['brier']?.value).toBeGreaterThan(1.3 * (far?.measures['brier']?.value ?? 1));
      expect((await windowsOf('performance'))[0]?.revisions).toBeGreaterThan(0);
    }, PATIENT);
    expect((await groupOf('performance', `< ${EDGE}`))?.measures).toEqual(near?.measures);
    const [window] = await windowsOf('performance');
    const ofDistance = (window?.slices ?? []).filter(({ slice }) => slice === 'distance');
    expect(ofDistance.reduce((sum, { rows }) => sum + rows, 0)).toBe(window?.labels);
  }, 120_000);

  it('has the share of positive answers of each group before labels', async () => {
    const day = stream.filter((one) => one.asOfMicros < DAY_ONE + MICROS.d);
    const near = day.filter((one) => (one.features[0] ?? 0) < EDGE);
    await eventually(async () => {
      const group = await groupOf('drift', `< ${EDGE}`);
      expect(group?.rows).toBe(near.length);
      expect(group?.measures['positive_share']?.value).toBeCloseTo(
        near.filter((one) => one.score >= 0.5).length / near.length,
        12,
      );
    }, PATIENT);
  }, 90_000);

  it('tells how far groups lie apart, before labels and with them', async () => {
    const of = async (kind: string) =>
      (await windowsOf(kind))[0]?.fairness.map(({ slice, measure }) => [slice, measure]);
    expect(await of('drift')).toEqual([['distance', 'demographic_parity_difference']]);
    expect(await of('performance')).toEqual([
      ['distance', 'demographic_parity_difference'],
      ['distance', 'equal_opportunity_difference'],
    ]);
    const [window] = await windowsOf('performance');
    const recalls = window?.slices.flatMap(({ slice, measures }) =>
      slice === 'distance' ? (measures['recall']?.value ?? []) : [],
    );
    const gap = window?.fairness.find(({ measure }) => measure === 'equal_opportunity_difference')?.gap?.value;
    expect(gap).toBeCloseTo(Math.abs((recalls?.[0] ?? 0) - (recalls?.[1] ?? 0)), 12);
    const text = await (await fetch(`${system.url}/metrics`)).text();
    expect(text).toContain('slice="distance",measure="equal_opportunity_difference"');
  });

  it('says openly that a feature was not served', async () => {
    expect((await groupOf('drift', '(missing)', 'weekend'))?.rows).toBe(PER_DAY);
  });

  it('exposes the declared groups, and no others', async () => {
    const text = await (await fetch(`${system.url}/metrics`)).text();
    const lines = text
      .split('\n')
      .filter((line) => line.startsWith('headrace_monitoring_slice_rows{') && line.includes(`"${system.name}"`));
    const groups = lines.map((line) => /kind="(\w+)",slice="(\w+)",group="([^"]+)"/.exec(line)?.slice(1).join(' '));
    expect(groups.sort()).toEqual(
      ['drift', 'performance'].flatMap((kind) => [
        `${kind} distance < ${EDGE}`,
        `${kind} distance >= ${EDGE}`,
        `${kind} weekend (missing)`,
      ]),
    );
    expect(text).toContain('headrace_monitoring_slice_performance{');
  });
});
