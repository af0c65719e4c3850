/** A rising function through (x, y) points, linear between them and constant outside. */
export interface Isotonic {
  readonly x: readonly number[];
  readonly y: readonly number[];
}

/**
 * Least-squares rising fit by pooling adjacent violators (Ayer et al. 1955; Barlow et al. 1972): scikit-learn's
 * IsotonicRegression(out_of_bounds='clip'). Equal x are averaged first.
 */
export function fitIsotonic(x: readonly number[], y: readonly number[]): Isotonic {
  const order = x.map((_, index) => index).sort((a, b) => (x[a] ?? 0) - (x[b] ?? 0));
  const points: { x: number; sum: number; weight: number }[] = [];
  for (const index of order) {
    const here = x[index] ?? Number.NaN;
    const last = points.at(-1);
    if (last?.x === here) {
      last.sum += y[index] ?? Number.NaN;
      last.weight += 1;
    } else points.push({ x: here, sum: y[index] ?? Number.NaN, weight: 1 });
  }
  const blocks: { sum: number; weight: number; points: number }[] = [];
  for (const point of points) {
    let block = { sum: point.sum, weight: point.weight, points: 1 };
    for (let before = blocks.at(-1); before && before.sum / before.weight >= block.sum / block.weight;) {
      block = {
        sum: before.sum + block.sum,
        weight: before.weight + block.weight,
        points: before.points + block.points,
      };
      blocks.pop();
      before = blocks.at(-1);
    }
    blocks.push(block);
  }
  return {
    x: points.map((point) => point.x),
    y: blocks.flatMap((block) => new Array<number>(block.points).fill(block.sum / block.weight)),
  };
}

/** Value of the function at x; NaN for NaN. */
export function applyIsotonic({ x, y }: Isotonic, at: number): number {
  if (Number.isNaN(at) || x.length === 0) return Number.NaN;
  let [low, high] = [0, x.length];
  while (low < high) {
    const middle = (low + high) >>> 1;
    if ((x[middle] ?? 0) < at) low = middle + 1;
    else high = middle;
  }
  const right = y[low];
  if (right === undefined) return y.at(-1) ?? Number.NaN;
  if (low === 0 || x[low] === at) return right;
  const [x0, y0] = [x[low - 1] ?? 0, y[low - 1] ?? 0];
  return y0 + ((at - x0) / ((x[low] ?? 0) - x0)) * (right - y0);
}
