import { setImmediate as turnOfTheLoop } from 'node:timers/promises';
import { LoopShare, type RunLane } from './loop-share';

describe("the share of runs in the event loop's time", () => {
  let nowMs = 0;
  const share = () => new LoopShare(10, () => nowMs);
  /** So many runs after `othersMs` of other things; `waiting`: whether more rows wait behind them. */
  const run = async (lane: RunLane, othersMs: number, { runs = 1, eachMs = 0.5, waiting = true } = {}) => {
    nowMs += othersMs;
    lane.before();
    await turnOfTheLoop();
    nowMs += runs * eachMs;
    lane.after(runs, waiting);
  };

  it('is one run a turn as long as the loop has little else to do, or nothing is left waiting', async () => {
    const lane = share().lane();
    expect(lane.runs).toBe(1);
    await run(lane, 0);
    await run(lane, 0.1);
    expect(lane.runs).toBe(1);
    await run(lane, 1, { waiting: false });
    await run(lane, 1_000);
    expect(lane.runs).toBe(1);
  });

  it('is four times what the loop did for others while rows waited, at most the longest time', async () => {
    const lane = share().lane();
    await run(lane, 0);
    await run(lane, 1);
    expect(lane.runs).toBe(8);
    await run(lane, 2, { runs: 8 });
    expect(lane.runs).toBe(16);
    await run(lane, 40, { runs: 16 });
    expect(lane.runs).toBe(20);
    await run(lane, 0.2, { runs: 20 });
    expect(lane.runs).toBe(1);
  });

  it("does not count another model's runs as something else", async () => {
    const shared = share();
    const [one, other] = [shared.lane(), shared.lane()];
    await run(one, 0);
    await run(other, 0, { runs: 6 });
    await run(one, 1);
    expect(one.runs).toBe(8);
  });
});
