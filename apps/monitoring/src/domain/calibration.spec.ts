import { MICROS } from '@headrace/event-time';
import { cases, FEATURES, wholeProfileOf, type Case } from '../../test/builders';
import { expectedRun, falseAlarmsOf, ownDistances, thresholdFor, windowFalseAlarms } from './calibration';
import { driftOf } from '../../test/windows';

const rule = { k: 2, n: 3 };
const cadence = { windowMicros: MICROS.d, minimumSample: 100 };
const rows = (stream: readonly Case[]) =>
  stream.map((one) => ({ names: FEATURES, features: one.features, score: one.score }));
const day = (stream: readonly Case[], index: number, perDay: number) =>
  rows(stream.slice(index * perDay, (index + 1) * perDay));

describe("the reference's own windows", () => {
  const { prediction } = wholeProfileOf(cases({ seed: 1, days: 30, perDay: 240 }), 6 * MICROS.h);

  it('are merged to the length of the monitor', () => {
    expect(ownDistances(prediction, 'psi', cadence)).toHaveLength(30);
    expect(ownDistances(prediction, 'psi', { ...cadence, windowMicros: 6 * MICROS.h, minimumSample: 10 })).toHaveLength(
      120,
    );
    const merged = ownDistances(prediction, 'psi', cadence);
    const daily = wholeProfileOf(cases({ seed: 1, days: 30, perDay: 240 })).prediction;
    expect(merged).toEqual(ownDistances(daily, 'psi', cadence));
  });

  it('are none where lengths do not fit, windows are too small, or values would be needed', () => {
    expect(ownDistances(prediction, 'psi', { ...cadence, windowMicros: MICROS.h })).toEqual([]);
    expect(ownDistances(prediction, 'psi', { ...cadence, windowMicros: 9 * MICROS.h })).toEqual([]);
    expect(ownDistances(prediction, 'psi', { ...cadence, minimumSample: 241 })).toEqual([]);
    expect(ownDistances(prediction, 'ks', cadence)).toEqual([]);
    expect(ownDistances({ ...prediction, windows: undefined }, 'psi', cadence)).toEqual([]);
  });

  it('are compared with the rest of the reference, which they are no part of', () => {
    const reference = {
      ...prediction,
      counts: [10, 10],
      windows: {
        lengthMicros: MICROS.d,
        starts: [0, MICROS.d],
        rows: [10, 10],
        counts: [
          [10, 0],
          [0, 10],
        ],
      },
    };
    expect(ownDistances(reference, 'total_variation', { ...cadence, minimumSample: 1 })).toEqual([1, 1]);
  });
});

describe('a threshold by its false alarms', () => {
  const own = [0.1, 0.4, 0.2, 0.3];

  it('lies above as many windows as must not cross', () => {
    // Of five windows, this one among them, at most one may cross: above the highest of four.
    const { threshold, falseAlarms } = thresholdFor(own, 0.2);
    expect([threshold > 0.4, threshold < 0.4000001, falseAlarms]).toEqual([true, true, 0.2]);
    expect(thresholdFor(own, 0.4).threshold).toBeCloseTo(0.3, 9);
    expect(thresholdFor(own, 0.1).threshold).toBe(Infinity);
  });

  it('is crossed by windows without change as seldom as declared, by drifted ones at once', () => {
    const test = { subject: 'prediction', statistic: 'psi' as const, falseAlarms: 0.05 };
    const rules = { tests: [test], crossings: 1, rule };
    let alarms = 0;
    let found = 0;
    const perDay = 200;
    for (let seed = 0; seed < 8; seed += 1) {
      const profile = wholeProfileOf(cases({ seed: seed + 1, days: 40, perDay }));
      const quiet = cases({ seed: seed + 100, days: 50, perDay });
      const drifted = cases({ seed: seed + 200, days: 1, perDay, driftFromDay: 0 });
      for (let index = 0; index < 50; index += 1) {
        if (driftOf(day(quiet, index, perDay), profile, rules, cadence).crossed) alarms += 1;
      }
      if (driftOf(rows(drifted), profile, rules, cadence).crossed) found += 1;
    }
    // 400 windows at 5 %: 20 expected; windows that share a reference are not independent.
    expect(alarms).toBeLessThanOrEqual(36);
    expect(alarms).toBeGreaterThanOrEqual(6);
    expect(found).toBe(8);
  });

  it('is the declared number while the reference has too few windows, or nothing that could be crossed', () => {
    const few = wholeProfileOf(cases({ seed: 1, days: 4, perDay: 200 }));
    const window = rows(cases({ seed: 2, days: 1, perDay: 200, driftFromDay: 0 }));
    const judge = (test: object) =>
      driftOf(
        window,
        few,
        { tests: [{ subject: 'prediction', statistic: 'psi', ...test }], crossings: 1, rule },
        cadence,
      );
    const both = judge({ falseAlarms: 0.05, threshold: 0.25 });
    expect(both.evidence[0]).toMatchObject({ statistic: 'psi', threshold: 0.25, crossed: true, falseAlarms: 0.2 });
    const alone = judge({ falseAlarms: 0.05 });
    expect(alone.evidence[0]).toMatchObject({ threshold: Infinity, crossed: false });
  });
});

describe('false alarms of a window', () => {
  it('of a threshold are those of its rank among the own windows', () => {
    expect(falseAlarmsOf([0.1, 0.2, 0.3], 0.2)).toBe(0.75);
    expect(falseAlarmsOf([0.1, 0.2, 0.3], 9)).toBe(0.25);
    expect(falseAlarmsOf([], 1)).toBeNaN();
  });

  it('add up over tests, and p-values count once', () => {
    expect(windowFalseAlarms([0.1, 0.2], [], 1)).toBeCloseTo(0.3, 12);
    expect(windowFalseAlarms([0.1, 0.2], [], 2)).toBeCloseTo(0.15, 12);
    expect(windowFalseAlarms([0.1], [0.05, 0.05], 1)).toBeCloseTo(0.15, 12);
    expect(windowFalseAlarms([0.9, 0.9], [], 1)).toBe(1);
    expect(windowFalseAlarms([0.1, Number.NaN], [], 1)).toBeNaN();
  });

  it('are not known as soon as those of one distance are not', () => {
    const profile = wholeProfileOf(cases({ seed: 1, days: 20, perDay: 200 }));
    const judge = (statistic: 'psi' | 'ks') =>
      driftOf(
        rows(cases({ seed: 2, days: 1, perDay: 200 })),
        profile,
        { tests: [{ subject: 'prediction', statistic, threshold: 0.3 }], crossings: 1, rule },
        cadence,
      ).falseAlarms;
    expect(judge('psi')).toBeCloseTo(1 / 21, 12);
    expect(judge('ks')).toBeUndefined();
  });

  it('give the expected run between alarms at the cadence', () => {
    // k of n is exact in the library; one of one: 1 / p windows.
    expect(expectedRun(0.05, { k: 1, n: 1 }, { window: '1d' })).toEqual({
      windows: 20,
      seconds: 20 * 86_400,
      predictions: 0,
    });
    expect(expectedRun(0.05, rule, { window: '1h' })?.windows).toBeGreaterThan(200);
    expect(expectedRun(undefined, rule, { window: '1d' })).toBeUndefined();
    expect(expectedRun(0.1, { k: 40, n: 80 }, { window: '1d' })).toBeUndefined();
  });

  it('count it in predictions where windows are by count', () => {
    expect(expectedRun(0.05, { k: 1, n: 1 }, { window: { predictions: 500 } })).toEqual({
      windows: 20,
      seconds: 0,
      predictions: 10_000,
    });
  });

  it('are not taken from windows of time for windows by count', () => {
    const { prediction } = wholeProfileOf(cases({ seed: 1, days: 20, perDay: 200 }));
    expect(ownDistances(prediction, 'psi', cadence)).toHaveLength(20);
    expect(ownDistances(prediction, 'psi', { ...cadence, windowMicros: undefined })).toEqual([]);
  });
});
