// Bins of a sample, and counts and shares within them.
import { mean, present, variance } from '../samples';

/** Which end of a bin belongs to it. The study's bins are (a, b]; the trainer's profile counts [a, b). */
export type ClosedAt = 'right' | 'left';

/**
 * Inner edges: the quantiles k/bins, k = 1 … bins − 1, by linear interpolation; equal ones once. Missing values (NaN)
 * are left out. The usual bins of PSI (docs/adr/0010).
 */
export function quantileEdges(reference: readonly number[], bins = 10): number[] {
  const rising = present(reference).sort((a, b) => a - b);
  const edges: number[] = [];
  for (let k = 1; k < bins && rising.length > 0; k += 1) {
    const h = ((rising.length - 1) * k) / bins;
    const low = rising[Math.floor(h)] ?? 0;
    const high = rising[Math.min(Math.floor(h) + 1, rising.length - 1)] ?? low;
    const edge = low + (h - Math.floor(h)) * (high - low);
    if (edge !== edges.at(-1)) edges.push(edge);
  }
  return edges;
}

/**
 * All edges, both ends included, of bins of width range / (log₂ n + 1), at least 1 when `integers` (Sturges 1926, as
 * numpy.histogram_bin_edges(bins='sturges')). Evidently's bins, over both sides together.
 */
export function sturgesEdges(values: readonly number[], integers = false): number[] {
  const here = present(values);
  return equalBins(here, (range) => atLeast(range / (Math.log2(here.length) + 1), integers));
}

/** As sturgesEdges, with more bins the more the values are skewed (Doane 1976; numpy's 'doane'): NannyML's bins. */
export function doaneEdges(values: readonly number[], integers = false): number[] {
  const here = present(values);
  const n = here.length;
  const deviation = Math.sqrt(variance(here, 0));
  if (n <= 2 || deviation === 0) return equalBins(here, () => 0);
  const centre = mean(here);
  const skewness = mean(here.map((value) => ((value - centre) / deviation) ** 3));
  const error = Math.sqrt((6 * (n - 2)) / ((n + 1) * (n + 3)));
  const bins = 1 + Math.log2(n) + Math.log2(1 + Math.abs(skewness) / error);
  return equalBins(here, (range) => atLeast(range / bins, integers));
}

function equalBins(values: readonly number[], widthOf: (range: number) => number): number[] {
  if (values.length === 0) return [];
  let low = values.reduce((least, value) => Math.min(least, value), Infinity);
  let high = values.reduce((most, value) => Math.max(most, value), -Infinity);
  const width = widthOf(high - low);
  const bins = width > 0 ? Math.ceil((high - low) / width) : 1;
  if (low === high) {
    low -= 0.5;
    high += 0.5;
  }
  const step = (high - low) / bins;
  return Array.from({ length: bins + 1 }, (_, i) => (i === bins ? high : low + i * step));
}

function atLeast(width: number, integers: boolean): number {
  return integers && width > 0 && width < 1 ? 1 : width;
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

/** Counts of every category that occurs on either side, in one order. */
export function categoryCounts<T>(a: readonly T[], b: readonly T[]): { readonly a: number[]; readonly b: number[] } {
  const keys = [...new Set([...a, ...b])];
  const index = new Map(keys.map((key, position) => [key, position]));
  const countsOf = (values: readonly T[]): number[] => {
    const counts = new Array<number>(keys.length).fill(0);
    for (const value of values) {
      const position = index.get(value) ?? 0;
      counts[position] = (counts[position] ?? 0) + 1;
    }
    return counts;
  };
  return { a: countsOf(a), b: countsOf(b) };
}

/** Shares of counts; all 0 when there are none. */
export function sharesOf(counts: readonly number[]): number[] {
  const total = counts.reduce((sum, count) => sum + count, 0);
  return counts.map((count) => count / Math.max(total, 1));
}

/**
 * Shares without zeros as Evidently fills them before PSI and Kullback–Leibler: 0.0001, or a millionth of the smallest
 * share when that is no larger than 0.0001. Nothing is renormalised.
 */
export function withoutZeros(shares: readonly number[]): number[] {
  const smallest = shares.reduce((least, share) => (share > 0 ? Math.min(least, share) : least), Infinity);
  const fill = smallest <= 0.0001 ? smallest / 1e6 : 0.0001;
  return shares.map((share) => (share === 0 ? fill : share));
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
