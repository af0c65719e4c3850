// Detectors of concept drift that see one value at a time. Their state is a plain object (JSON), so that it can be kept
// between restarts and moved between instances; a detector made with a state goes on where that one stood.

export type Verdict = 'stable' | 'warning' | 'drift';

/** `update` changes `state`; after a drift the next update begins anew. */
export interface Detector<State> {
  readonly state: State;
  update(value: number): Verdict;
}

/** Running mean and sum of squared deviations (Welford 1962). */
export interface Moments {
  count: number;
  mean: number;
  squares: number;
}

export function noMoments(): Moments {
  return { count: 0, mean: 0, squares: 0 };
}

export function addTo(moments: Moments, value: number): void {
  moments.count += 1;
  const before = value - moments.mean;
  moments.mean += (1 / moments.count) * before;
  moments.squares += before * (value - moments.mean);
}
