// Ordering of samples, which the tests and distances share.

/** Without missing values (NaN). */
export function present(values: readonly number[]): number[] {
  return values.filter((value) => !Number.isNaN(value));
}

/** The values that are not missing, rising. */
export function sorted(values: readonly number[]): Float64Array {
  return Float64Array.from(present(values)).sort();
}

/** Rank of each value from 1, ties at their mean. */
export function midranks(values: readonly number[]): number[] {
  const order = values.map((_, index) => index).sort((a, b) => (values[a] ?? 0) - (values[b] ?? 0));
  const ranks = new Array<number>(values.length).fill(0);
  let from = 0;
  while (from < order.length) {
    let to = from;
    while (to + 1 < order.length && values[order[to + 1] ?? 0] === values[order[from] ?? 0]) to += 1;
    for (let i = from; i <= to; i += 1) ranks[order[i] ?? 0] = (from + to) / 2 + 1;
    from = to + 1;
  }
  return ranks;
}

/** How many different values two sorted samples hold, and how often each occurs: calls `visit(x, inA, inB)` in rising order. */
export function eachValue(
  a: Float64Array,
  b: Float64Array,
  visit: (x: number, inA: number, inB: number) => void,
): void {
  let i = 0;
  let j = 0;
  while (i < a.length || j < b.length) {
    const x = Math.min(a[i] ?? Infinity, b[j] ?? Infinity);
    const [fromA, fromB] = [i, j];
    while (i < a.length && a[i] === x) i += 1;
    while (j < b.length && b[j] === x) j += 1;
    visit(x, i - fromA, j - fromB);
  }
}

export function mean(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0) / values.length;
}

/** Variance with the divisor n − ddof. */
export function variance(values: readonly number[], ddof: 0 | 1): number {
  const centre = mean(values);
  return values.reduce((sum, value) => sum + (value - centre) ** 2, 0) / (values.length - ddof);
}
