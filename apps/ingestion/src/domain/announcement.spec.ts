import { nextWatermark } from './announcement';

const busy = (partition: number, lastKnownMicros?: number) => ({ partition, lastKnownMicros, isIdle: false });
const idle = (partition: number, lastKnownMicros?: number) => ({ partition, lastKnownMicros, isIdle: true });

describe('the next watermark', () => {
  it('stays below the partition that is furthest behind', () => {
    expect(nextWatermark([busy(0, 100), busy(1, 50)], undefined)).toBe(49);
  });

  it('is not held back by idle partitions, with records or without', () => {
    expect(nextWatermark([busy(0, 100), idle(1, 50), idle(2)], undefined)).toBe(99);
  });

  it('is the newest known time when everything is handled', () => {
    expect(nextWatermark([idle(0, 100), idle(1, 50)], 99)).toBe(100);
  });

  it('waits for a partition whose first records are still to be handled', () => {
    expect(nextWatermark([busy(0, 100), busy(1)], undefined)).toBeUndefined();
  });

  it('is announced only when it advances', () => {
    expect(nextWatermark([idle(0, 100)], 100)).toBeUndefined();
    expect(nextWatermark([busy(0, 100)], 100)).toBeUndefined();
    expect(nextWatermark([], undefined)).toBeUndefined();
  });
});
