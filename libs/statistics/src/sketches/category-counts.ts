/** Plain data, for storage and for merging. */
export interface CategorySketchState {
  /** Categories kept at most. */
  readonly capacity: number;
  counts: Record<string, number>;
  /** Every kept count is too low by at most this; what is not kept occurred at most so often. */
  error: number;
  total: number;
}

/**
 * Counts of categories in bounded memory, mergeable: Misra & Gries (1982) with the merge of Agarwal et al. (2013), "Mergeable
 * Summaries", TODS 38(4). With capacity c, whatever the order of values and merges, true − error ≤ count ≤ true and error ≤
 * total / (c + 1): every category that occurs more often than that is kept. Exact while there are no more than c categories.
 */
export class CategorySketch {
  readonly state: CategorySketchState;
  private readonly counts: Map<string, number>;

  constructor(start: number | CategorySketchState) {
    const state = typeof start === 'number' ? { capacity: start, counts: {}, error: 0, total: 0 } : start;
    if (!Number.isInteger(state.capacity) || state.capacity < 1) {
      throw new RangeError(`category sketch: expected a whole capacity of at least 1, got ${state.capacity}`);
    }
    this.counts = new Map(Object.entries(state.counts));
    const { counts } = this;
    this.state = {
      capacity: state.capacity,
      error: state.error,
      total: state.total,
      get counts() {
        return Object.fromEntries(counts);
      },
    };
  }

  add(category: string): void {
    this.state.total += 1;
    this.counts.set(category, (this.counts.get(category) ?? 0) + 1);
    this.shrink();
  }

  merge(other: CategorySketchState): void {
    for (const [category, count] of Object.entries(other.counts)) {
      this.counts.set(category, (this.counts.get(category) ?? 0) + count);
    }
    this.state.total += other.total;
    this.state.error += other.error;
    this.shrink();
  }

  /** At least so often; at most this + error. */
  count(category: string): number {
    return this.counts.get(category) ?? 0;
  }

  /** Takes the (capacity + 1)-th largest count from all and drops what is empty. */
  private shrink(): void {
    const { counts, state } = this;
    if (counts.size <= state.capacity) return;
    const cut =
      counts.size === state.capacity + 1
        ? Math.min(...counts.values())
        : ([...counts.values()].sort((a, b) => b - a)[state.capacity] ?? 0);
    for (const [category, count] of counts) {
      if (count > cut) counts.set(category, count - cut);
      else counts.delete(category);
    }
    state.error += cut;
  }
}
