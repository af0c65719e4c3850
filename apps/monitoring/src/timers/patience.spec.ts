import { Patience } from './patience';

describe('patience with what fails', () => {
  it('doubles up to its longest, for each thing on its own, and begins anew after a success', () => {
    const patience = new Patience(100, 1_000);
    expect(patience.isDue('a', 0)).toBe(true);
    expect(patience.failed('a', 0)).toEqual({ failures: 1, waitMs: 100 });
    expect([patience.isDue('a', 99), patience.isDue('a', 100), patience.isDue('b', 0)]).toEqual([false, true, true]);
    const waits = [1, 2, 3, 4, 5].map(() => patience.failed('a', 0).waitMs);
    expect(waits).toEqual([200, 400, 800, 1_000, 1_000]);
    patience.succeeded('a');
    expect(patience.isDue('a', 0)).toBe(true);
    expect(patience.failed('a', 0).waitMs).toBe(100);
  });
});
