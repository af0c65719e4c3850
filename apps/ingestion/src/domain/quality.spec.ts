import { accepted, orderOf, recordOf, rejected } from '../../test/builders';
import { countWindows, judgeQuality, type QualityWindow } from './quality';
import { sortBatch } from './sort-batch';

const DAY = 86_400_000_000;
const policy = { windowMicros: DAY, threshold: 0.9, minimumRecords: 10 };

function window(day: number, good: number, bad: number): QualityWindow {
  return { startMicros: day * DAY, endMicros: (day + 1) * DAY, accepted: good, rejected: bad };
}

describe('data quality', () => {
  it('is degraded as soon as a window holds enough records and too few are accepted', () => {
    expect(judgeQuality(undefined, [window(1, 8, 1)], policy)).toBeUndefined();
    expect(judgeQuality(undefined, [window(1, 8, 2)], policy)).toMatchObject({ kind: 'degraded' });
    expect(judgeQuality(undefined, [window(1, 9, 1)], policy)).toBeUndefined();
  });

  it('is not restored by the bad window itself, nor by one that is still open', () => {
    const state = { windowStartMicros: DAY };
    expect(judgeQuality(state, [window(1, 99, 1), window(2, 99, 0)], policy)).toBeUndefined();
  });

  it('is restored by a later window that is closed and good', () => {
    const state = { windowStartMicros: DAY };
    const change = judgeQuality(state, [window(2, 50, 50), window(3, 99, 1), window(4, 10, 0)], policy);
    expect(change).toMatchObject({ kind: 'restored', window: { startMicros: 3 * DAY } });
  });

  it('is not restored by a window with too few records', () => {
    expect(judgeQuality({ windowStartMicros: DAY }, [window(2, 5, 0), window(3, 99, 1)], policy)).toBeUndefined();
  });
});

describe('counting windows', () => {
  it('counts by event time, repeats nowhere, and unreadable records where the partition had come', () => {
    const judgements = [
      rejected(recordOf({ id: 'early', value: 'x' })),
      accepted(recordOf({ id: 'a', data: orderOf({ placed: '2025-06-02T10:00:00Z' }) })),
      rejected(recordOf({ id: 'b', value: 'x' })),
      rejected(recordOf({ id: 'c', data: orderOf({ placed: '2025-06-03T10:00:00Z', items: 0 }) })),
      accepted(recordOf({ id: 'a', data: orderOf({ placed: '2025-06-02T10:00:00Z' }) })),
    ];
    const sorted = sortBatch(judgements, new Set(['/shop a']), undefined, 0);
    const reached = Date.UTC(2025, 5, 1, 5) * 1_000;

    const windows = countWindows(judgements, sorted, reached, DAY);

    expect(windows.map((one) => [new Date(one.startMicros / 1_000).getUTCDate(), one.accepted, one.rejected])).toEqual([
      [1, 0, 1],
      [2, 1, 1],
      [3, 0, 1],
    ]);
  });
});
