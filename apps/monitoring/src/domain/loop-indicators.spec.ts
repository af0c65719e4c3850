import { MICROS } from '@headrace/event-time';
import { loopIndicators } from './loop-indicators';

const NOW = 1_000 * MICROS.d;
const none = { loops: [], changes: { deployments: 0, failures: 0, since: null }, leadMicros: undefined };

describe('indicators of a loop', () => {
  it('are absent while nothing has happened', () => {
    const found = loopIndicators(none, NOW);
    expect(found.deploymentsPerDay).toBe(0);
    for (const absent of ['driftToDetectedSeconds', 'detectedToPromotedSeconds', 'changeFailureRatio'] as const)
      expect(found[absent]).toBeUndefined();
  });

  it('are those of the last loop that got so far', () => {
    const loops = [
      { detectionMicros: 2 * MICROS.d, detected: NOW - 60 * MICROS.s, registered: null, promoted: null },
      { detectionMicros: null, detected: NOW - MICROS.h, registered: NOW - MICROS.h + 30 * MICROS.s, promoted: null },
      {
        detectionMicros: MICROS.d,
        detected: NOW - 9 * MICROS.h,
        registered: NOW - 8 * MICROS.h,
        promoted: NOW - 7 * MICROS.h,
      },
    ];
    expect(loopIndicators({ ...none, loops, leadMicros: 90 * MICROS.s }, NOW)).toMatchObject({
      driftToDetectedSeconds: 2 * 86_400,
      detectedToTrainedSeconds: 30,
      detectedToPromotedSeconds: 7_200,
      dataToProductionSeconds: 90,
    });
  });

  it('have rates over the time that was observed, a day at least, thirty at most', () => {
    const rateOf = (since: number) => loopIndicators({ ...none, changes: { deployments: 3, failures: 1, since } }, NOW);
    expect(rateOf(NOW - MICROS.h)).toMatchObject({ deploymentsPerDay: 3, changeFailureRatio: 0.25 });
    expect(rateOf(NOW - 6 * MICROS.d).deploymentsPerDay).toBe(0.5);
    expect(rateOf(NOW - 300 * MICROS.d).deploymentsPerDay).toBe(0.1);
  });
});
