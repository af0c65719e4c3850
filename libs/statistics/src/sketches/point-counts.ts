// A sample counted at, and between, points that are known before: all that a comparison with a fixed reference sample needs.

/** Plain data: merged by addition, where the points are the same. */
export interface PointCountsState {
  /** Below the first point, at it, between it and the second, …, above the last: 2 × points + 1 counts. */
  readonly cells: readonly number[];
  readonly missing: number;
}

/**
 * Counts of values against rising points. Memory is two counts a point, however many values; counts of parts of a stream
 * add up in any order. What is computed from the counts is what the values themselves would give: no error but the doubles'
 * (counts stay exact below 2^53).
 */
export class PointCounts {
  /** Rising, each once. */
  readonly points: Float64Array;
  private readonly cells: Float64Array;
  private missingValues = 0;

  /** Points in any order; equal ones count once, NaN is none. */
  constructor(points: Iterable<number>, state?: PointCountsState) {
    const rising = Float64Array.from(points)
      .filter((point) => !Number.isNaN(point))
      .sort();
    this.points = rising.filter((point, index) => index === 0 || point !== rising[index - 1]);
    this.cells = new Float64Array(2 * this.points.length + 1);
    if (!state) return;
    if (state.cells.length !== this.cells.length) {
      throw new RangeError(`state: expected ${this.cells.length} cells for these points, got ${state.cells.length}`);
    }
    this.cells.set(state.cells);
    this.missingValues = state.missing;
  }

  get state(): PointCountsState {
    return { cells: [...this.cells], missing: this.missingValues };
  }

  /** Values that were added, without missing ones. */
  get count(): number {
    return this.cells.reduce((sum, cell) => sum + cell, 0);
  }

  /** Values that were NaN. */
  get missing(): number {
    return this.missingValues;
  }

  add(value: number): void {
    if (Number.isNaN(value)) {
      this.missingValues += 1;
      return;
    }
    const { points, cells } = this;
    let low = 0;
    let high = points.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if ((points[middle] ?? 0) < value) low = middle + 1;
      else high = middle;
    }
    const cell = points[low] === value ? 2 * low + 1 : 2 * low;
    cells[cell] = (cells[cell] ?? 0) + 1;
  }

  /** The other one has the same points. */
  merge(other: PointCounts): void {
    const { points } = this;
    if (other.points.length !== points.length || other.points.some((point, index) => point !== points[index])) {
      throw new RangeError('counts at other points cannot be merged');
    }
    for (const [cell, count] of other.cells.entries()) this.cells[cell] = (this.cells[cell] ?? 0) + count;
    this.missingValues += other.missingValues;
  }

  /** Counts of the bins (−∞, e₁), [e₁, e₂), …, [e_m, ∞) of rising edges, each of which is a point. */
  inBins(innerEdges: readonly number[]): number[] {
    const { points, cells } = this;
    const counts = new Array<number>(innerEdges.length + 1).fill(0);
    let bin = 0;
    for (let index = 0; index <= points.length; index += 1) {
      counts[bin] = (counts[bin] ?? 0) + (cells[2 * index] ?? 0);
      while (bin < innerEdges.length && points[index] === innerEdges[bin]) bin += 1;
      counts[bin] = (counts[bin] ?? 0) + (cells[2 * index + 1] ?? 0);
    }
    if (bin < innerEdges.length) throw new RangeError(`edge ${innerEdges[bin]} is none of the points`);
    return counts;
  }

  /**
   * D of Kolmogorov and Smirnov against a sample whose values are points, NaN without values on either side. Between two
   * points the sample's distribution function stands still while the other one rises: the largest distance is at either end.
   */
  ks(sample: readonly number[]): number {
    const { points, cells, count } = this;
    const reference = Float64Array.from(sample)
      .filter((value) => !Number.isNaN(value))
      .sort();
    if (reference.length === 0 || count === 0) return Number.NaN;
    let [i, j, largest] = [0, 0, 0];
    const look = (): void => {
      largest = Math.max(largest, Math.abs(i / reference.length - j / count));
    };
    for (const [index, point] of points.entries()) {
      j += cells[2 * index] ?? 0;
      look();
      j += cells[2 * index + 1] ?? 0;
      while (i < reference.length && reference[i] === point) i += 1;
      look();
    }
    if (i < reference.length) throw new RangeError(`value ${reference[i]} of the sample is none of the points`);
    return largest;
  }
}
