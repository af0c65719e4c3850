import { MICROS } from '@headrace/event-time';
import { cases, DAY_ONE, FEATURES, type Case } from '../../test/builders';
import { driftOf } from '../../test/windows';
import type { DriftProfile, ScoredRow } from './evidence';
import { describedReference, isEnough, weeksBefore, type LiveRules } from './live-reference';
import { distributionOf, sketchesOf } from './window-sketch';

const PER_DAY = 400;
const SUBJECTS = ['prediction', ...FEATURES];

const rowsOf = (day: readonly Case[]): ScoredRow[] =>
  day.map((one) => ({ names: FEATURES, features: one.features, score: one.score }));

/** What days are compared with that come after these. */
function profileOfDays(
  stream: readonly Case[],
  days: number,
  { lengthMicros }: { readonly lengthMicros: number | undefined } = { lengthMicros: MICROS.d },
): DriftProfile {
  const kept = Array.from({ length: days }, (_, day) => {
    const rows = rowsOf(stream.slice(day * PER_DAY, (day + 1) * PER_DAY));
    return { day, rows: rows.length, sketches: sketchesOf(rows, SUBJECTS) };
  });
  const [prediction, ...features] = SUBJECTS.map((subject, index) =>
    distributionOf(
      subject,
      kept.flatMap(({ day, rows, sketches }) => {
        const sketch = sketches[index];
        return sketch ? [{ ...sketch, rows, startMicros: DAY_ONE + day * MICROS.d }] : [];
      }),
      lengthMicros,
    ),
  );
  if (!prediction) throw new Error('no prediction');
  return { prediction, features };
}

describe('thresholds by false alarms with a moving reference', () => {
  const stream = cases({ seed: 3, days: 30, perDay: PER_DAY });
  const cadence = { windowMicros: MICROS.d, minimumSample: 100 };
  const rules = {
    tests: SUBJECTS.map((subject) => ({ subject, statistic: 'psi' as const, falseAlarms: 0.05 })),
    crossings: 1,
    rule: { k: 1, n: 1 },
  };

  it('come from its own windows, each against the others', () => {
    const { evidence, falseAlarms } = driftOf(
      rowsOf(stream.slice(-PER_DAY)),
      profileOfDays(stream, 28),
      rules,
      cadence,
    );
    const thresholds = evidence.filter((entry) => entry.statistic === 'psi').map((entry) => entry.threshold);
    expect(thresholds).toHaveLength(3);
    for (const threshold of thresholds) expect([threshold > 0.01, threshold < 0.12]).toEqual([true, true]);
    expect(falseAlarms).toBeLessThanOrEqual(3 * 0.05);
  });

  it('come from windows by count as well', () => {
    const byCount = profileOfDays(stream, 28, { lengthMicros: undefined });
    for (const of of [byCount.prediction, ...byCount.features])
      if (of.windows) expect(of.windows.starts).toHaveLength(28);
    const thresholdOf = (profile: DriftProfile, windowMicros: number | undefined) =>
      driftOf(rowsOf(stream.slice(-PER_DAY)), profile, rules, { ...cadence, windowMicros }).evidence.find(
        (entry) => entry.statistic === 'psi',
      )?.threshold;
    const threshold = thresholdOf(byCount, undefined);
    expect(threshold).toBeLessThan(0.12);
    expect(threshold).toBe(thresholdOf(profileOfDays(stream, 28), MICROS.d));
  });

  it('are not there while it has too few windows to be so sure', () => {
    const { evidence } = driftOf(rowsOf(stream.slice(-PER_DAY)), profileOfDays(stream, 7), rules, cadence);
    for (const { statistic, threshold } of evidence) if (statistic === 'psi') expect(threshold).toBe(Infinity);
  });
});

describe('what a window is compared with', () => {
  const moving: LiveRules = { kind: 'moving', windows: 14, atLeast: 3 };

  it('is named by its windows', () => {
    const found = [0, 1, 4].map((day) => ({
      startMicros: DAY_ONE + day * MICROS.d,
      endMicros: DAY_ONE + (day + 1) * MICROS.d,
      rows: 100 + day,
    }));
    const reference = describedReference(moving, found);
    expect(reference).toEqual({
      kind: 'moving',
      fromMicros: DAY_ONE,
      toMicros: DAY_ONE + 5 * MICROS.d,
      windows: 3,
      required: 3,
      predictions: 305,
    });
    expect(isEnough(reference)).toBe(true);
  });

  it('wants all its windows when it does not say how many are enough', () => {
    const reference = describedReference({ kind: 'same-weekday', weeks: 4 }, [
      { startMicros: DAY_ONE, endMicros: DAY_ONE + MICROS.d, rows: 500 },
    ]);
    expect([reference.windows, reference.required, isEnough(reference)]).toEqual([1, 4, false]);
  });

  it('is the same hour of the same weekday for windows of an hour', () => {
    const window = { startMicros: DAY_ONE + 5 * MICROS.h, endMicros: DAY_ONE + 6 * MICROS.h };
    expect(weeksBefore(window, 2)).toEqual([window.startMicros - 14 * MICROS.d, window.startMicros - 7 * MICROS.d]);
  });
});
