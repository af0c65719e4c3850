import { Random } from '../numerics/random';
import { ksTest } from '../tests/ks';
import type { Detector, Verdict } from './detector';

export interface KswinOptions {
  /** Level of each test. One test a value, so it must be far below the rate of false alarms that is wanted. */
  readonly alpha: number;
  /** Values kept. */
  readonly windowSize: number;
  /** The newest values, compared with as many drawn from the older ones; at most half of the window. */
  readonly recentSize: number;
  readonly seed: number;
}

export interface KswinState {
  window: number[];
  /** State of the random generator. */
  random: number;
  drifted: boolean;
}

const DEFAULT_SEED = 1;
/** A distance below this is never a drift, whatever its p-value. */
const LEAST_DISTANCE = 0.1;

/**
 * KSWIN: a two-sample Kolmogorov–Smirnov test of the newest values against a random draw from the older part of a sliding
 * window, at every value. Raab, Heusinger & Schleif (2020), Neurocomputing 416, 340–351; same detections as
 * river.drift.KSWIN when it is given the same draws. Sees any change of distribution; its tests overlap, so alpha bounds no
 * rate of false alarms.
 */
export class Kswin implements Detector<KswinState> {
  private readonly options: KswinOptions;

  constructor(
    options: Partial<KswinOptions> = {},
    readonly state: KswinState = begin(options.seed ?? DEFAULT_SEED),
  ) {
    this.options = { alpha: 0.005, windowSize: 100, recentSize: 30, seed: DEFAULT_SEED, ...options };
    if (2 * this.options.recentSize > this.options.windowSize) {
      throw new RangeError('KSWIN: expected recentSize at most half of windowSize');
    }
  }

  update(value: number): Verdict {
    const { state, options } = this;
    if (state.drifted) Object.assign(state, begin(options.seed));
    state.window.push(value);
    if (state.window.length > options.windowSize) state.window.shift();
    if (state.window.length < options.windowSize) return 'stable';
    const random = new Random(state.random);
    const drawn = random.sample(options.windowSize - options.recentSize, options.recentSize);
    state.random = random.state;
    const older = drawn.map((index) => state.window[index] ?? Number.NaN);
    const { statistic, pValue } = ksTest(older, state.window.slice(-options.recentSize));
    state.drifted = pValue <= options.alpha && statistic > LEAST_DISTANCE;
    return state.drifted ? 'drift' : 'stable';
  }
}

function begin(seed: number): KswinState {
  return { window: [], random: seed, drifted: false };
}
