import type { Detector, Verdict } from './detector';

export interface AdwinOptions {
  /** Confidence: bounds the rate of false alarms. */
  readonly delta: number;
  /** Looks for a cut after every so many values. */
  readonly clock: number;
  /** Buckets of one size before two of them are merged. */
  readonly maximumBuckets: number;
  /** Least values on either side of a cut. */
  readonly minimumWindow: number;
  /** No cut while the window has no more values than this. */
  readonly gracePeriod: number;
}

interface Bucket {
  total: number;
  /** Sum of squared deviations within the bucket. */
  squares: number;
}

export interface AdwinState {
  /** rows[r]: buckets of 2^r values, oldest first. Row 0 is the newest end of the window. */
  rows: Bucket[][];
  width: number;
  total: number;
  squares: number;
  ticks: number;
  drifted: boolean;
}

/**
 * ADWIN, the adaptive window: keeps the longest window whose two parts, cut anywhere, do not differ in mean by more than
 * ε(δ); when they do, it forgets the oldest. Bifet & Gavaldà (2007), SDM, 443–448, with buckets that double in size
 * (Datar et al. 2002), so memory is logarithmic in the window, and variances by Babcock et al. (2003). Same detections and
 * window as river.drift.ADWIN, which begins with an empty window after a detection. Values in [0, 1]. Sees rises and falls.
 */
export class Adwin implements Detector<AdwinState> {
  private readonly options: AdwinOptions;

  constructor(
    options: Partial<AdwinOptions> = {},
    readonly state: AdwinState = begin(),
  ) {
    this.options = { delta: 0.002, clock: 32, maximumBuckets: 5, minimumWindow: 5, gracePeriod: 10, ...options };
  }

  /** Mean of the window; NaN while it is empty. */
  get mean(): number {
    return this.state.total / this.state.width;
  }

  update(value: number): Verdict {
    const { state, options } = this;
    if (state.drifted) Object.assign(state, begin());
    this.insert(value);
    state.ticks += 1;
    if (state.ticks % options.clock !== 0 || state.width <= options.gracePeriod) return 'stable';
    while (this.hasCut()) {
      this.forgetOldest();
      state.drifted = true;
    }
    return state.drifted ? 'drift' : 'stable';
  }

  private insert(value: number): void {
    const { state } = this;
    state.rows[0]?.push({ total: value, squares: 0 });
    state.width += 1;
    const others = state.width - 1;
    if (others > 0) state.squares += (others * (value - state.total / others) ** 2) / state.width;
    state.total += value;
    for (let row = 0; (state.rows[row]?.length ?? 0) > this.options.maximumBuckets; row += 1) this.merge(row);
  }

  /** The two oldest buckets of a row become one of the next. */
  private merge(row: number): void {
    const [first, second] = this.state.rows[row]?.splice(0, 2) ?? [];
    if (!first || !second) return;
    const size = 2 ** row;
    const between = (size * size * (first.total / size - second.total / size) ** 2) / (size + size);
    this.state.rows[row + 1] ??= [];
    this.state.rows[row + 1]?.push({
      total: first.total + second.total,
      squares: first.squares + second.squares + between,
    });
  }

  /** Whether some cut between buckets, from the oldest on, parts the window into means that differ. */
  private hasCut(): boolean {
    const { state, options } = this;
    let [size0, total0] = [0, 0];
    for (let row = state.rows.length - 1; row >= 0; row -= 1) {
      for (const bucket of state.rows[row] ?? []) {
        size0 += 2 ** row;
        total0 += bucket.total;
        const size1 = state.width - size0;
        const total1 = state.total - total0;
        if (size0 < options.minimumWindow || size1 < options.minimumWindow) continue;
        if (Math.abs(total0 / size0 - total1 / size1) > this.bound(size0, size1)) return true;
      }
    }
    return false;
  }

  private bound(size0: number, size1: number): number {
    const { state, options } = this;
    const confidence = Math.log((2 * Math.log(state.width)) / options.delta);
    const reciprocal = 1 / (size0 - options.minimumWindow + 1) + 1 / (size1 - options.minimumWindow + 1);
    const deviation = Math.sqrt(2 * reciprocal * (Math.max(state.squares, 0) / state.width) * confidence);
    return deviation + (2 / 3) * confidence * reciprocal;
  }

  private forgetOldest(): void {
    const { state } = this;
    const size = 2 ** (state.rows.length - 1);
    const oldest = state.rows.at(-1)?.shift();
    if (!oldest) return;
    state.width -= size;
    state.total -= oldest.total;
    const apart = oldest.total / size - state.total / state.width;
    state.squares -= oldest.squares + (size * state.width * apart ** 2) / (size + state.width);
    while (state.rows.length > 1 && state.rows.at(-1)?.length === 0) state.rows.pop();
  }
}

function begin(): AdwinState {
  return { rows: [[]], width: 0, total: 0, squares: 0, ticks: 0, drifted: false };
}
