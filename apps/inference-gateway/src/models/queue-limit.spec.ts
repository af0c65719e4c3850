import { QueueLimit } from './queue-limit';

const options = { most: 10_000, least: 256, targetMs: 50 };

/** `seconds` of runs, each 10 ms apart. */
function runs(limit: QueueLimit, fromMs: number, seconds: number, rows: number, delayMs: number): number {
  let nowMs = fromMs;
  for (; nowMs < fromMs + seconds * 1_000; nowMs += 10) limit.observe(rows, delayMs, nowMs);
  return nowMs;
}

describe('the limit of a queue', () => {
  it('falls to what is answered in the target time when nobody is served sooner', () => {
    const limit = new QueueLimit(options);
    // 100 rows in 10 ms: 500 rows in 50 ms.
    runs(limit, 0, 3, 100, 400);
    expect(limit.rows).toBeLessThanOrEqual(600);
    expect(limit.rows).toBeGreaterThanOrEqual(256);
  });

  it('stays when a burst passes within the interval', () => {
    const limit = new QueueLimit(options);
    let nowMs = runs(limit, 0, 0.7, 100, 1);
    nowMs = runs(limit, nowMs, 0.4, 100, 400);
    runs(limit, nowMs, 0.7, 100, 1);
    expect(limit.rows).toBe(10_000);
  });

  it('rises again step by step, only while somebody needs the room', () => {
    const limit = new QueueLimit(options);
    let nowMs = runs(limit, 0, 10, 10, 400);
    expect(limit.rows).toBe(256);
    nowMs = runs(limit, nowMs, 2, 10, 1);
    expect(limit.rows).toBe(256);
    limit.press();
    runs(limit, nowMs, 0.7, 10, 1);
    expect(limit.rows).toBe(512);
  });

  it('says nothing of the time in which nothing ran', () => {
    const limit = new QueueLimit(options);
    limit.observe(10, 400, 0);
    limit.observe(10, 400, 60_000);
    expect(limit.rows).toBe(10_000);
  });
});
