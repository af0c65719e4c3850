/** Plain data, for storage and for merging. */
export interface QuantileSketchState {
  /** Relative error. */
  readonly alpha: number;
  /** Index of the bucket (γ^(i−1), γ^i] → count. */
  positive: Record<string, number>;
  negative: Record<string, number>;
  zeros: number;
  count: number;
}

/** Values closer to zero than this count as zero. */
const SMALLEST = 1e-12;
/**
 * Buckets for either sign; beyond it those of the smallest magnitude are put together, and only their quantiles lose the
 * bound. At 1 % it spans 17 powers of ten.
 */
const MOST_BUCKETS = 2_048;

/**
 * DDSketch (Masson, Rim & Lee 2019, PVLDB 12(12), 2195–2205): quantiles of a stream within a relative error of alpha, in
 * memory that does not grow with the stream. Buckets are fixed, so merging adds counts: the same in any order, to the last
 * count, while the number of buckets stays within its limit.
 */
export class QuantileSketch {
  readonly state: QuantileSketchState;
  private readonly logGamma: number;

  /** `alpha` in (0, 1); or a state to go on from. */
  constructor(start: number | QuantileSketchState = 0.01) {
    this.state = typeof start === 'number' ? { alpha: start, positive: {}, negative: {}, zeros: 0, count: 0 } : start;
    const { alpha } = this.state;
    if (!(alpha > 0 && alpha < 1))
      throw new RangeError(`quantile sketch: expected a relative error in (0, 1), got ${alpha}`);
    this.logGamma = Math.log((1 + alpha) / (1 - alpha));
  }

  /** NaN and infinities are left out. */
  add(value: number): void {
    if (!Number.isFinite(value)) return;
    const { state } = this;
    state.count += 1;
    if (Math.abs(value) < SMALLEST) state.zeros += 1;
    else bump(value > 0 ? state.positive : state.negative, this.bucketOf(Math.abs(value)), 1);
  }

  /** Takes the other's counts over. Throws a RangeError when its relative error is another. */
  merge(other: QuantileSketchState): void {
    const { state } = this;
    if (other.alpha !== state.alpha) throw new RangeError('quantile sketch: expected the same relative error');
    for (const [bucket, count] of Object.entries(other.positive)) bump(state.positive, Number(bucket), count);
    for (const [bucket, count] of Object.entries(other.negative)) bump(state.negative, Number(bucket), count);
    state.zeros += other.zeros;
    state.count += other.count;
  }

  /** Value of rank ⌊q (n − 1)⌋ from 0, off by at most alpha of its size. NaN while empty. */
  quantile(q: number): number {
    const { state } = this;
    if (state.count === 0 || !(q >= 0 && q <= 1)) return Number.NaN;
    let rank = Math.floor(q * (state.count - 1));
    for (const [bucket, count] of rising(state.negative).reverse()) {
      if (rank < count) return -this.valueOf(bucket);
      rank -= count;
    }
    if (rank < state.zeros) return 0;
    rank -= state.zeros;
    for (const [bucket, count] of rising(state.positive)) {
      if (rank < count) return this.valueOf(bucket);
      rank -= count;
    }
    return Number.NaN;
  }

  private bucketOf(magnitude: number): number {
    return Math.ceil(Math.log(magnitude) / this.logGamma);
  }

  /** The value of a bucket from which both its ends are equally far in relative terms. */
  private valueOf(bucket: number): number {
    const gamma = Math.exp(this.logGamma);
    return (2 * Math.exp(bucket * this.logGamma)) / (gamma + 1);
  }
}

function bump(buckets: Record<string, number>, bucket: number, by: number): void {
  const known = buckets[bucket];
  buckets[bucket] = (known ?? 0) + by;
  if (known !== undefined) return;
  const keys = Object.keys(buckets);
  if (keys.length <= MOST_BUCKETS) return;
  let [lowest, next] = [Infinity, Infinity];
  for (const key of keys.map(Number)) {
    if (key < lowest) [lowest, next] = [key, lowest];
    else if (key < next) next = key;
  }
  buckets[next] = (buckets[next] ?? 0) + (buckets[lowest] ?? 0);
  delete buckets[lowest];
}

function rising(buckets: Record<string, number>): [bucket: number, count: number][] {
  return Object.entries(buckets)
    .map(([bucket, count]): [number, number] => [Number(bucket), count])
    .sort(([a], [b]) => a - b);
}
