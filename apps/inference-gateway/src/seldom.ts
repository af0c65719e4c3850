// A fault that goes on is told once in a while, with how often it happened since: a log that grows with every failing
// request is an outage of its own.
import { performance } from 'node:perf_hooks';

const QUIET_MS = 5_000;

export class Seldom {
  private lastMs = -Infinity;
  private silent = 0;

  constructor(private readonly nowMs: () => number = () => performance.now()) {}

  /** Calls `tell` at once or not at all. `notTold`: how many were kept quiet since the last one that was told. */
  tell(tell: (notTold: number) => void): void {
    const nowMs = this.nowMs();
    if (nowMs - this.lastMs < QUIET_MS) {
      this.silent += 1;
      return;
    }
    this.lastMs = nowMs;
    const notTold = this.silent;
    this.silent = 0;
    tell(notTold);
  }
}
