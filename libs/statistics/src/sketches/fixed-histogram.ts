/** Plain data, for storage and for merging. */
export interface FixedHistogramState {
  /** Edges between the bins, rising; bins are (−∞, e₁), [e₁, e₂) …, [e_m, ∞). */
  readonly innerEdges: readonly number[];
  counts: number[];
  missing: number;
}

/**
 * Counts within the bins of a reference profile. Merging adds counts: exact in any order, so PSI, Jensen–Shannon and the
 * like over these bins are those of the whole window. Against the values themselves a distribution function is off by at
 * most the share of one bin, and so are KS and quantile ranks.
 */
export class FixedHistogram {
  readonly state: FixedHistogramState;

  constructor(start: readonly number[] | FixedHistogramState) {
    this.state =
      'innerEdges' in start
        ? start
        : { innerEdges: start, counts: new Array<number>(start.length + 1).fill(0), missing: 0 };
  }

  /** NaN counts as missing. */
  add(value: number): void {
    const { state } = this;
    if (Number.isNaN(value)) {
      state.missing += 1;
      return;
    }
    let [low, high] = [0, state.innerEdges.length];
    while (low < high) {
      const middle = (low + high) >>> 1;
      if ((state.innerEdges[middle] ?? 0) <= value) low = middle + 1;
      else high = middle;
    }
    state.counts[low] = (state.counts[low] ?? 0) + 1;
  }

  /** Throws a RangeError when the other has other edges. */
  merge(other: FixedHistogramState): void {
    const { state } = this;
    const same =
      other.innerEdges.length === state.innerEdges.length &&
      other.innerEdges.every((edge, index) => edge === state.innerEdges[index]);
    if (!same) throw new RangeError('fixed histogram: expected the same edges');
    for (const [bin, count] of other.counts.entries()) state.counts[bin] = (state.counts[bin] ?? 0) + count;
    state.missing += other.missing;
  }

  /** Between what the KS distance of the values themselves lies: at the edges both functions are known, within a bin not. */
  ks(other: FixedHistogramState): { readonly low: number; readonly high: number } {
    const [n, m] = [sum(this.state.counts), sum(other.counts)];
    let [f, g, low, widest] = [0, 0, 0, 0];
    for (const [bin, count] of this.state.counts.entries()) {
      const [p, q] = [count / n, (other.counts[bin] ?? 0) / m];
      widest = Math.max(widest, f + p - g, g + q - f);
      f += p;
      g += q;
      low = Math.max(low, Math.abs(f - g));
    }
    return { low, high: Math.min(widest, 1) };
  }
}

function sum(counts: readonly number[]): number {
  return counts.reduce((total, count) => total + count, 0);
}
