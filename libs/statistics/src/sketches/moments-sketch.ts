/** Count, mean, sum of squared deviations and extremes of values. Plain data. */
export interface MomentsState {
  readonly count: number;
  readonly mean: number;
  readonly squares: number;
  readonly smallest: number;
  readonly largest: number;
}

export const NO_VALUES: MomentsState = { count: 0, mean: 0, squares: 0, smallest: Infinity, largest: -Infinity };

/** NaN is left out. */
export function momentsOf(values: readonly number[]): MomentsState {
  return values.reduce(
    (state, value) =>
      Number.isNaN(value)
        ? state
        : mergeMoments(state, { count: 1, mean: value, squares: 0, smallest: value, largest: value }),
    NO_VALUES,
  );
}

/**
 * Moments of both together: Chan, Golub & LeVeque (1983), The American Statistician 37(3), 242–247. In any order the same but
 * for rounding.
 */
export function mergeMoments(a: MomentsState, b: MomentsState): MomentsState {
  const count = a.count + b.count;
  if (count === 0) return NO_VALUES;
  const apart = b.mean - a.mean;
  return {
    count,
    mean: a.mean + (apart * b.count) / count,
    squares: a.squares + b.squares + (apart * apart * a.count * b.count) / count,
    smallest: Math.min(a.smallest, b.smallest),
    largest: Math.max(a.largest, b.largest),
  };
}
