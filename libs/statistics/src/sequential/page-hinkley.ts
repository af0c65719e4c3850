import { addTo, noMoments, type Detector, type Moments, type Verdict } from './detector';

export interface PageHinkleyOptions {
  /** Values before anything can be said. */
  readonly minimumValues: number;
  /** Change of the mean that is tolerated. */
  readonly delta: number;
  /** Cumulated deviation that is a drift (λ). */
  readonly threshold: number;
  /** Forgetting factor of the sums, at most 1. */
  readonly alpha: number;
  /** Which changes of the mean count. */
  readonly direction: 'up' | 'down' | 'both';
}

export interface PageHinkleyState {
  values: Moments;
  /** Faded sum of deviations − δ, and the least it was. */
  rise: number;
  leastRise: number;
  /** Faded sum of deviations + δ, and the most it was. */
  fall: number;
  mostFall: number;
  drifted: boolean;
}

/**
 * Page–Hinkley: drift when the cumulated deviation from the running mean lies more than λ above its least (a rise) or below
 * its most (a fall). Page (1954), Biometrika 41, 100–115; Hinkley (1971), Biometrika 58, 509–523; same detections as
 * river.drift.PageHinkley. λ is in units of the values: 50 suits thousands of errors of 0 and 1, not hundreds.
 */
export class PageHinkley implements Detector<PageHinkleyState> {
  private readonly options: PageHinkleyOptions;

  constructor(
    options: Partial<PageHinkleyOptions> = {},
    readonly state: PageHinkleyState = begin(),
  ) {
    this.options = {
      minimumValues: 30,
      delta: 0.005,
      threshold: 50,
      alpha: 1 - 0.0001,
      direction: 'both',
      ...options,
    };
  }

  update(value: number): Verdict {
    const { state, options } = this;
    if (state.drifted) Object.assign(state, begin());
    addTo(state.values, value);
    const deviation = value - state.values.mean;
    state.rise = options.alpha * state.rise + deviation - options.delta;
    state.fall = options.alpha * state.fall + deviation + options.delta;
    state.leastRise = state.values.count === 1 ? state.rise : Math.min(state.leastRise, state.rise);
    state.mostFall = Math.max(state.mostFall, state.fall);
    if (state.values.count < options.minimumValues) return 'stable';
    const rises = state.rise - state.leastRise > options.threshold;
    const falls = state.mostFall - state.fall > options.threshold;
    state.drifted = (options.direction !== 'down' && rises) || (options.direction !== 'up' && falls);
    return state.drifted ? 'drift' : 'stable';
  }
}

/** The most of the falls begins at −1, as river has it. */
function begin(): PageHinkleyState {
  return { values: noMoments(), rise: 0, leastRise: 0, fall: 0, mostFall: -1, drifted: false };
}
