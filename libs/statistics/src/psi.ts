// Population stability index, as docs/adr/0010 has it.

const ZERO_FILL = 0.0001;

/** Which end of a bin belongs to it. The study's bins are (a, b]; the trainer's profile counts [a, b). */
export type ClosedAt = 'right' | 'left';

/**
 * Inner edges: the quantiles k/bins, k = 1 … bins − 1, by linear interpolation; equal ones once. Missing values (NaN)
 * are left out.
 */
export function quantileEdges(reference: readonly number[], bins = 10): number[] {
  const sorted = present(reference).sort((a, b) => a - b);
  const edges: number[] = [];
  for (let k = 1; k < bins && sorted.length > 0; k += 1) {
    const h = ((sorted.length - 1) * k) / bins;
    const low = sorted[Math.floor(h)] ?? 0;
    const high = sorted[Math.min(Math.floor(h) + 1, sorted.length - 1)] ?? low;
    const edge = low + (h - Math.floor(h)) * (high - low);
    if (edge !== edges.at(-1)) edges.push(edge);
  }
  return edges;
}

/** Counts of the bins (−∞, e₁), …, (e_m, ∞); the ends belong to a bin as `closed` says. NaN is left out. */
export function binCounts(values: readonly number[], innerEdges: readonly number[], closed: ClosedAt): number[] {
  const counts = new Array<number>(innerEdges.length + 1).fill(0);
  for (const value of values) {
    if (Number.isNaN(value)) continue;
    const bin = edgesBelow(innerEdges, value, closed);
    counts[bin] = (counts[bin] ?? 0) + 1;
  }
  return counts;
}

/** Shares of counts; all 0 when there are none. */
export function sharesOf(counts: readonly number[]): number[] {
  const total = counts.reduce((sum, count) => sum + count, 0);
  return counts.map((count) => count / Math.max(total, 1));
}

/** Σ (r − c) ln(r / c) over the bins; a share of exactly 0 counts as 0.0001 and nothing is renormalised. */
export function psi(referenceShares: readonly number[], currentShares: readonly number[]): number {
  let sum = 0;
  for (const [bin, share] of referenceShares.entries()) {
    const r = share === 0 ? ZERO_FILL : share;
    const c = (currentShares[bin] ?? 0) === 0 ? ZERO_FILL : (currentShares[bin] ?? 0);
    sum += (r - c) * Math.log(r / c);
  }
  return sum;
}

export function present(values: readonly number[]): number[] {
  return values.filter((value) => !Number.isNaN(value));
}

/** How many edges lie below the value ('left': below or at it). */
function edgesBelow(edges: readonly number[], value: number, closed: ClosedAt): number {
  let low = 0;
  let high = edges.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    const edge = edges[middle] ?? 0;
    if (edge < value || (closed === 'left' && edge === value)) low = middle + 1;
    else high = middle;
  }
  return low;
}
