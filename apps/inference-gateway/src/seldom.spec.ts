import { Seldom } from './seldom';

describe('a fault that goes on', () => {
  it('is told at once, then every five seconds with how often it happened meanwhile', () => {
    let nowMs = 0;
    const seldom = new Seldom(() => nowMs);
    const told: [number, number][] = [];
    for (; nowMs < 11_000; nowMs += 100) seldom.tell((notTold) => told.push([nowMs, notTold]));
    expect(told).toEqual([
      [0, 0],
      [5_000, 49],
      [10_000, 49],
    ]);
  });
});
