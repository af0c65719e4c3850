import { addTo, noMoments, type Detector, type Moments, type Verdict } from './detector';

export interface EddmOptions {
  /** Errors before anything can be said. */
  readonly warmStart: number;
  /** Share of the best distance below which it warns. */
  readonly alpha: number;
  /** Share below which it is a drift; at most alpha. */
  readonly beta: number;
}

export interface EddmState {
  count: number;
  lastError: number;
  errors: number;
  distances: Moments;
  /** Largest mean + 2 s of the distances so far. */
  best: number;
  warned: boolean;
  drifted: boolean;
}

/**
 * Early Drift Detection Method on a stream of errors (1 wrong, 0 right): with m and s the mean and standard deviation (ddof
 * 1) of the distances between errors, drift when (m + 2s) / max (m + 2s) < β, warning below α. Baena-García et al. (2006),
 * Fourth International Workshop on Knowledge Discovery from Data Streams; same detections as river.drift.binary.EDDM. Made
 * for gradual drift; with its usual 0.9 it raises false alarms often.
 */
export class Eddm implements Detector<EddmState> {
  private readonly options: EddmOptions;

  constructor(
    options: Partial<EddmOptions> = {},
    readonly state: EddmState = begin(),
  ) {
    this.options = { warmStart: 30, alpha: 0.95, beta: 0.9, ...options };
    if (this.options.alpha < this.options.beta) throw new RangeError('EDDM: expected alpha ≥ beta');
  }

  update(value: number): Verdict {
    const { state, options } = this;
    if (state.drifted) Object.assign(state, begin());
    state.count += 1;
    if (value === 1) {
      state.errors += 1;
      addTo(state.distances, state.count - state.lastError);
      state.lastError = state.count;
      if (state.count > options.warmStart) this.judge();
    }
    if (state.drifted) return 'drift';
    return state.warned ? 'warning' : 'stable';
  }

  private judge(): void {
    const { state, options } = this;
    const { count, mean, squares } = state.distances;
    const spread = mean + 2 * Math.sqrt(count > 1 ? squares / (count - 1) : 0);
    if (spread > state.best) {
      state.best = spread;
      return;
    }
    if (state.errors <= options.warmStart) return;
    const level = spread / state.best;
    state.drifted = level < options.beta;
    if (!state.drifted) state.warned = level < options.alpha;
  }
}

function begin(): EddmState {
  return { count: 0, lastError: 0, errors: 0, distances: noMoments(), best: -1, warned: false, drifted: false };
}
