// How many rows may wait for a version. A queue absorbs bursts; one that never empties only makes everybody late. So the
// limit follows the delay: CoDel's signal (the least delay of an interval: Nichols and Jacobson, Controlling Queue Delay,
// 2012; RFC 8289) steers an additive increase and multiplicative decrease (Chiu and Jain, 1989), and what was really
// answered in the interval (Little, 1961) says how far down.

export interface QueueLimitOptions {
  /** Bound that is never passed, rows. */
  readonly most: number;
  /** Bound that is never undercut, rows: one run. */
  readonly least: number;
  /** A delay that all requests of an interval had is a standing queue when it is longer than this. */
  readonly targetMs: number;
}

/** CoDel's interval in targets: long enough for a burst to pass (RFC 8289: the target is 5 to 10 % of the interval). */
const TARGETS_OF_INTERVAL = 10;
const DECREASE = 0.7;

export class QueueLimit {
  private limit: number;
  private readonly intervalMs: number;
  private intervalFrom = -Infinity;
  private leastDelayMs = Infinity;
  private answeredRows = 0;
  private pressed = false;

  constructor(private readonly options: QueueLimitOptions) {
    this.limit = options.most;
    this.intervalMs = options.targetMs * TARGETS_OF_INTERVAL;
  }

  get rows(): number {
    return this.limit;
  }

  /** Somebody did not get in, or nearly: only then is more room of use. */
  press(): void {
    this.pressed = true;
  }

  /** A run of `rows` begins at `nowMs`; the newest of its requests has waited for `delayMs`. */
  observe(rows: number, delayMs: number, nowMs: number): void {
    this.answeredRows += rows;
    if (delayMs < this.leastDelayMs) this.leastDelayMs = delayMs;
    const lastedMs = nowMs - this.intervalFrom;
    if (lastedMs < this.intervalMs) return;
    const { most, least, targetMs } = this.options;
    // After an idle time nothing is known of the interval.
    if (lastedMs < 10 * this.intervalMs) {
      if (this.leastDelayMs > targetMs) {
        const sustained = (this.answeredRows / lastedMs) * targetMs;
        this.limit = Math.max(least, Math.floor(Math.min(this.limit * DECREASE, sustained)));
      } else if (this.pressed) {
        this.limit = Math.min(most, this.limit + least);
      }
    }
    this.intervalFrom = nowMs;
    this.leastDelayMs = Infinity;
    this.answeredRows = 0;
    this.pressed = false;
  }
}
