import { events } from '@headrace/contracts';
import type { Artifact } from '@headrace/contracts/proto/common/v1/common';
import type { WindowSummary } from '@headrace/contracts/proto/monitoring/v1/monitoring_events';
import { MICROS } from '@headrace/event-time';
import { eventually } from '@headrace/testing';
import { cases, DAY_ONE, wholeProfileJson, type Case } from './builders';
import { MonitoringSystem } from './running-monitoring';

const PER_DAY = 240;
const N = 200;
const PATIENT = { timeoutMs: 90_000 };
const rule = { k: 1, n: 1 };

const monitor = {
  window: { predictions: N },
  minimumSample: 100,
  drift: { tests: [{ subject: 'prediction', statistic: 'psi', threshold: 0.4 }], rule },
  performance: { tests: [{ statistic: 'brier', worseByFactor: 3 }], rule },
};

const spanOf = ({ startMicros, endMicros }: WindowSummary) => [startMicros, endMicros];

describe('windows by count, on the real log and database', () => {
  const system = new MonitoringSystem();
  let profile: Artifact;
  /** From the fifth window on inputs move. */
  const stream = cases({ seed: 2, days: 5, perDay: PER_DAY, driftFromDay: 3.4 });
  /** Of the second window. */
  const late = cases({
    seed: 7,
    days: 1,
    perDay: 40,
    prefix: 'late',
    fromMicros: stream[N + 20]?.asOfMicros ?? 0,
  }).slice(0, 20);

  const windowsOf = async (kind: string): Promise<WindowSummary[]> =>
    (await system.grpc.getMonitor({ monitor: system.name, lastWindows: 0 })).windows.filter((one) => one.kind === kind);

  /** Of so many windows one behind the other, from the first prediction on. */
  const spans = (count: number): number[][] =>
    Array.from({ length: count }, (_, index) => [
      index === 0 ? DAY_ONE : (stream[index * N - 1]?.asOfMicros ?? 0) + 1,
      (stream[(index + 1) * N - 1]?.asOfMicros ?? 0) + 1,
    ]);

  /** Not in their order, and from several partitions. */
  async function serve(from: number, to: number): Promise<void> {
    const part = stream.slice(from, to);
    const isOdd = (_: Case, index: number): boolean => index % 2 === 1;
    const before = await system.predictionsTaken();
    await system.predictions(part.filter(isOdd));
    await system.predictions(part.filter((one, index) => !isOdd(one, index)));
    // A window ends by what has come when the watermark passes: the rest would be late.
    await eventually(async () => expect(await system.predictionsTaken()).toBe(before + part.length), PATIENT);
    await system.labels(part);
    await system.watermark(part.at(-1)?.asOfMicros ?? 0);
  }

  const closed = (kind: string, count: number) =>
    eventually(async () => expect(await windowsOf(kind)).toHaveLength(count), PATIENT);

  beforeAll(async () => {
    await system.start();
    await system.define(monitor);
    const reference = cases({ seed: 1, days: 10, perDay: PER_DAY, prefix: 'r' });
    profile = await system.putProfile(wholeProfileJson(reference));
    await system.deploy({ champion: 1, profile });
  }, 90_000);

  afterAll(() => system.stop(), 30_000);

  it('hold so many predictions each, one behind the other, whatever the order in which they came', async () => {
    await serve(0, 450);
    await closed('drift', 2);
    const windows = await windowsOf('drift');
    expect(windows.map(spanOf)).toEqual(spans(2));
    expect(windows.map(({ predictions, closedBy, judged }) => [predictions, closedBy, judged])).toEqual([
      [N, 'predictions', true],
      [N, 'predictions', true],
    ]);
    // Estimates are of the same windows.
    await closed('estimate', 2);
    expect((await windowsOf('estimate')).map(spanOf)).toEqual(spans(2));
  }, 120_000);

  it('are of so many labels where labels are judged', async () => {
    await closed('performance', 2);
    const times = stream.slice(0, 450).map((one) => one.labelTimeMicros);
    times.sort((a, b) => a - b);
    const ends = [times[N - 1], times[2 * N - 1]].map((time) => (time ?? 0) + 1);
    const windows = await windowsOf('performance');
    expect(windows.map(({ endMicros, labels }) => [endMicros, labels])).toEqual(ends.map((end) => [end, N]));
    expect(windows[1]?.startMicros).toBe(ends[0]);
  }, 120_000);

  it('are told on the log, once each, and go on after a restart in the middle of one', async () => {
    const drift = () => system.heardOf(events.WindowCut).filter(({ data }) => data.clock === 'prediction');
    await eventually(() => expect(drift()).toHaveLength(2), PATIENT);
    expect(drift().map(({ data }) => [data.startMicros, data.endMicros])).toEqual(spans(2));
    expect(drift()[0]?.causationId).toBe(`${system.name}-${stream[N - 1]?.predictionId}`);
    await system.stopService();
    await system.startService();
    await serve(450, 850);
    await closed('drift', 4);
    expect((await windowsOf('drift')).map(spanOf)).toEqual(spans(4));
    await eventually(
      () => expect(drift().map(({ data }) => data.endMicros)).toEqual(spans(4).map(([, end]) => end)),
      PATIENT,
    );
  }, 120_000);

  it('keep their ends when something comes late, and are judged again with it', async () => {
    await system.predictions(late);
    await eventually(async () => {
      const windows = await windowsOf('drift');
      expect(windows.map(({ predictions }) => predictions)).toEqual([N, N + late.length, N, N]);
    }, PATIENT);
    const windows = await windowsOf('drift');
    expect(windows.map(spanOf)).toEqual(spans(4));
    expect(windows.map(({ revisions, closedBy }) => [revisions > 0, closedBy])).toEqual([
      [false, 'predictions'],
      [true, 'predictions'],
      [false, 'predictions'],
      [false, 'predictions'],
    ]);
  }, 120_000);

  it('tell of drift by how many predictions it was found in', async () => {
    expect(system.heardOf(events.DriftDetected)).toEqual([]);
    await serve(850, 1_200);
    await eventually(() => expect(system.heardOf(events.DriftDetected)).toHaveLength(1), PATIENT);
    const [detected] = system.heardOf(events.DriftDetected);
    expect(detected?.data.windows.map((window) => [...spanOf(window), window.closedBy])).toEqual([
      [...(spans(5)[4] ?? []), 'predictions'],
    ]);
    expect(system.heardOf(events.AlertRaised)[0]?.data.summary).toContain(
      `in the window of ${N} predictions to 2001-02`,
    );
  }, 120_000);

  it('are the same when the log is replayed, late predictions or not', async () => {
    const result = await eventually(async () => {
      const again = await system.replay('--compare', '--replace');
      expect(again.comparison).toMatchObject({ same: true, liveAhead: 0 });
      return again;
    }, PATIENT);
    const cuts = result.comparison?.tables.find(({ name }) => name === 'window_cuts');
    expect(cuts?.live).toBeGreaterThanOrEqual(system.heardOf(events.WindowCut).length);
    expect(cuts?.same).toBe(true);
  }, 120_000);

  it('wait for predictions without being overdue, and end by their age where that is declared', async () => {
    expect(await windowsOf('drift')).toHaveLength(5);
    await system.redefine({ ...monitor, window: { predictions: N, maximumAge: '1d' } });
    // The sixth is full of what came before; then there is half as much traffic as a day would take.
    const few = cases({ seed: 8, days: 2, perDay: N / 2, prefix: 'few', fromMicros: DAY_ONE + 5 * MICROS.d });
    const before = await system.predictionsTaken();
    await system.predictions(few);
    await eventually(async () => expect(await system.predictionsTaken()).toBe(before + few.length), PATIENT);
    await system.watermark(DAY_ONE + 30 * MICROS.d);
    await closed('drift', 7);
    const windows = await windowsOf('drift');
    expect(windows.slice(0, 6).map(spanOf)).toEqual(spans(6));
    expect(windows[6]).toMatchObject({
      startMicros: windows[5]?.endMicros,
      endMicros: DAY_ONE + 6 * MICROS.d,
      predictions: N / 2,
      closedBy: 'age',
      judged: true,
    });
    await eventually(async () => {
      const metrics = await (await fetch(`${system.url}/metrics`)).text();
      const overdue = metrics.split('\n').filter((line) => line.includes(`overdue_seconds{monitor="${system.name}"}`));
      expect(overdue).toEqual([expect.stringMatching(/ 0$/)]);
    }, PATIENT);
  }, 120_000);

  it('go on where they ended when their version is champion again', async () => {
    const before = await windowsOf('drift');
    const serveBy = async (version: number, day: number): Promise<void> => {
      const fromMicros = DAY_ONE + day * MICROS.d;
      const requests = cases({ seed: day, days: 1, perDay: N + 50, prefix: `day-${day}`, fromMicros });
      await system.deploy({ champion: version, profile });
      await system.predictions(requests, () => ({ version }));
    };
    await serveBy(2, 8);
    await eventually(async () => expect((await windowsOf('drift')).at(-1)).toMatchObject({ version: 2 }), PATIENT);
    await serveBy(1, 10);
    await eventually(async () => {
      const [last] = (await windowsOf('drift')).slice(before.length).filter(({ version }) => version === 1);
      expect(last?.startMicros).toBe(before.at(-1)?.endMicros);
    }, PATIENT);
  }, 200_000);
});
