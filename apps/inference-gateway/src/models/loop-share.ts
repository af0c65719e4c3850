// Models that run in this process share its event loop with everything that comes in. Under a flood, reading what must be
// refused would take all of it and nothing be answered: receive livelock (Mogul and Ramakrishnan, Eliminating Receive
// Livelock in an Interrupt-Driven Kernel, 1997). So rows that wait get their share: the longer the loop did other things,
// the more runs follow one another. What is not read meanwhile waits in the callers' flow-control windows.
import { performance } from 'node:perf_hooks';

/** Time for runs, to time for everything else, while rows wait. */
const RUNS_TO_OTHERS = 4;
/** Weight of the newest runs in the mean length of a run. */
const NEWEST = 0.2;

/** The runs of all models of one process. */
export class LoopShare {
  /** Of all runs until now. */
  ranMs = 0;

  /** `mostMs`: longest time that runs which follow one another may keep the loop; 0: one run a turn. `nowMs`: a clock that only rises. */
  constructor(
    readonly mostMs: number,
    readonly nowMs: () => number = () => performance.now(),
  ) {}

  lane(): RunLane {
    return new RunLane(this);
  }
}

/** The runs of one model. */
export class RunLane {
  private runMs = 0;
  private begunMs = 0;
  private lapMs = 0;
  private endedMs = 0;
  /** LoopShare.ranMs when its last runs ended. */
  private ranMs = 0;
  /** What the loop did for others between its last two groups of runs; 0 after a time in which nothing waited. */
  private othersMs = 0;
  private standing = false;

  constructor(private readonly share: LoopShare) {}

  /** Runs that may follow one another now: 1 or more. */
  get runs(): number {
    if (this.runMs === 0) return 1;
    const ms = Math.min(this.othersMs * RUNS_TO_OTHERS, this.share.mostMs);
    return Math.max(1, Math.floor(ms / this.runMs));
  }

  /** Call right before the runs are given to the runtime, which begins on the next turn of the loop. */
  before(): void {
    setImmediate(() => {
      this.begunMs = this.share.nowMs();
      const othersRanMs = this.share.ranMs - this.ranMs;
      this.othersMs = this.standing ? Math.max(0, this.begunMs - this.endedMs - othersRanMs) : 0;
    });
  }

  /**
   * When a run is over: milliseconds since it began, which is when the run before it in the group was over. What the loop did before it
   * came to its runs is no cost of theirs.
   */
  lap(): number {
    const sinceMs = Math.max(this.begunMs, this.lapMs);
    this.lapMs = this.share.nowMs();
    return this.lapMs - sinceMs;
  }

  /** `waiting`: whether rows are left for more runs. */
  after(runs: number, waiting: boolean): void {
    this.endedMs = this.share.nowMs();
    const tookMs = Math.max(0, this.endedMs - this.begunMs);
    this.share.ranMs += tookMs;
    this.ranMs = this.share.ranMs;
    const meanMs = tookMs / runs;
    this.runMs = this.runMs === 0 ? meanMs : this.runMs + NEWEST * (meanMs - this.runMs);
    this.standing = waiting;
  }
}
