import { events } from '@headrace/contracts';
import type { WindowSummary } from '@headrace/contracts/proto/monitoring/v1/monitoring_events';
import { MICROS } from '@headrace/event-time';
import { eventually } from '@headrace/testing';
import { cases, DAY_ONE, profileJson, type Case } from './builders';
import { MonitoringSystem } from './running-monitoring';

const PER_DAY = 120;
const PATIENT = { timeoutMs: 90_000 };
const tests = [{ subject: 'prediction', statistic: 'psi', threshold: 0.6 }];
/** Scores of the training were others altogether: against them every window drifts. */
const elsewhere = profileJson(
  cases({ seed: 1, days: 5, perDay: PER_DAY, prefix: 'r' }).map((one) => ({ ...one, score: 0.97 + one.score / 100 })),
);

const dayOf = (micros: number): number => (micros - DAY_ONE) / MICROS.d;

async function driftWindows(system: MonitoringSystem): Promise<WindowSummary[]> {
  const { windows } = await system.grpc.getMonitor({ monitor: system.name, lastWindows: 0 });
  return windows.filter((window) => window.kind === 'drift');
}

async function watching(reference: object): Promise<MonitoringSystem> {
  const system = new MonitoringSystem();
  await system.start();
  const rule = { k: 1, n: 1 };
  await system.define({ window: '1d', minimumSample: 100, drift: { tests, rule, reference } });
  await system.deploy({ champion: 1, profile: await system.putProfile(elsewhere) });
  return system;
}

/** Everything up to the end of a day, as far as it can be known then. */
async function upTo(system: MonitoringSystem, stream: readonly Case[], day: number): Promise<void> {
  await system.predictions(stream.filter((one) => dayOf(one.asOfMicros) < day + 0.01));
  await system.labels(stream.filter((one) => dayOf(one.asOfMicros) < day));
  await system.watermark(DAY_ONE + day * MICROS.d);
  await eventually(async () => expect(await driftWindows(system)).toHaveLength(day), PATIENT);
}

describe('a moving reference, on the real log and database', () => {
  const stream = cases({ seed: 2, days: 7, perDay: PER_DAY, driftFromDay: 5 });
  /** Much of day 1 comes late, and it was unlike the rest. */
  const late = cases({
    seed: 9,
    days: 1,
    perDay: 5 * PER_DAY,
    prefix: 'late',
    fromMicros: DAY_ONE + MICROS.d,
    driftFromDay: 0,
  });
  const moving = { kind: 'moving', windows: 3, atLeast: 2 };
  let system: MonitoringSystem;

  beforeAll(async () => {
    system = await watching(moving);
  }, 90_000);

  afterAll(() => system.stop(), 30_000);

  it('does not judge windows before there is enough of it, and says so', async () => {
    await upTo(system, stream, 5);
    const windows = await driftWindows(system);
    expect(windows.map(({ judged, reference }) => [judged, reference?.windows, reference?.required])).toEqual([
      [false, 0, 2],
      [false, 1, 2],
      [true, 2, 2],
      [true, 3, 2],
      [true, 3, 2],
    ]);
    expect(windows.slice(0, 2).map(({ evidence, predictions }) => [evidence.length, predictions])).toEqual([
      [0, PER_DAY],
      [0, PER_DAY],
    ]);
    expect(system.heardOf(events.DriftDetected)).toEqual([]);
  }, 120_000);

  it('is named by the event that rests on it', async () => {
    await upTo(system, stream, 6);
    await eventually(() => expect(system.heardOf(events.DriftDetected)).toHaveLength(1), PATIENT);
    const [detected] = system.heardOf(events.DriftDetected);
    expect(detected?.data.windows.map((window) => window.reference)).toEqual([
      {
        kind: 'moving',
        fromMicros: DAY_ONE + 2 * MICROS.d,
        toMicros: DAY_ONE + 5 * MICROS.d,
        windows: 3,
        required: 2,
        predictions: 3 * PER_DAY,
      },
    ]);
    const [raised] = system.heardOf(events.AlertRaised);
    expect(raised?.data.summary).toContain(`against 3 windows with ${3 * PER_DAY} predictions from 2001-02-07T00:00`);
  }, 120_000);

  it('has what was compared with it judged again when something comes late into it, restarts or not', async () => {
    await system.predictions(late.slice(0, 300));
    await system.stopService();
    await system.startService();
    await system.predictions(late.slice(300));
    const total = PER_DAY + late.length;
    await eventually(async () => {
      const windows = await driftWindows(system);
      expect(windows[1]?.predictions).toBe(total);
      expect(windows.slice(2, 5).map((window) => window.reference?.predictions)).toEqual([
        PER_DAY + total,
        2 * PER_DAY + total,
        2 * PER_DAY + total,
      ]);
    }, PATIENT);
    const windows = await driftWindows(system);
    expect(windows.map(({ revisions }) => revisions > 0)).toEqual([false, true, true, true, true, false]);

    // Another system that had everything in time. One after the other: they would share the group's partitions.
    await system.stop();
    system = await watching(moving);
    const inOrder = [...stream, ...late].sort((a, b) => a.asOfMicros - b.asOfMicros);
    await upTo(system, inOrder, 6);
    const verdict = ({ evidence, judged, reference, predictions, startMicros }: WindowSummary) => {
      return { evidence, judged, reference, predictions, startMicros };
    };
    expect((await driftWindows(system)).map(verdict)).toEqual(windows.map(verdict));
  }, 240_000);
});

describe('a reference of the same weekday, on the real log and database', () => {
  /** On the seventh day of each week everything is otherwise; in the last week the first day is as well. */
  const week = (seed: number, drifted: readonly number[]): Case[] =>
    Array.from({ length: 7 }, (_, day) =>
      cases({
        seed: 100 * seed + day,
        days: 1,
        perDay: PER_DAY,
        prefix: `${seed}-${day}`,
        fromMicros: DAY_ONE + (7 * seed + day) * MICROS.d,
        ...(drifted.includes(day) ? { driftFromDay: 0 } : {}),
      }),
    ).flat();
  const stream = [...week(0, [6]), ...week(1, [6]), ...week(2, [0, 6]), ...week(3, []).slice(0, 3)];
  let system: MonitoringSystem;

  beforeAll(async () => {
    system = await watching({ kind: 'same-weekday', weeks: 2, atLeast: 1 });
  }, 90_000);

  afterAll(() => system.stop(), 30_000);

  it('holds a day against the same days of the weeks before', async () => {
    await upTo(system, stream, 21);
    const windows = await driftWindows(system);
    expect(windows.map(({ reference }) => reference?.windows)).toEqual(
      [0, 1, 2].flatMap((found) => new Array<number>(7).fill(found)),
    );
    expect(windows[20]?.reference).toMatchObject({
      kind: 'same-weekday',
      fromMicros: DAY_ONE + 6 * MICROS.d,
      toMicros: DAY_ONE + 14 * MICROS.d,
      predictions: 2 * PER_DAY,
    });
    const crossed = windows.filter(({ evidence }) => evidence.some((entry) => entry.crossed));
    expect(crossed.map(({ startMicros }) => dayOf(startMicros))).toEqual([14]);
  }, 240_000);
});
