import { addTo, noMoments, type Detector, type Moments, type Verdict } from './detector';

export interface DdmOptions {
  /** Values before anything can be said. */
  readonly warmStart: number;
  readonly warningThreshold: number;
  readonly driftThreshold: number;
}

export interface DdmState {
  errors: Moments;
  /** Least p + s so far, and its parts; −1 before there is one. */
  leastP: number;
  leastS: number;
  drifted: boolean;
}

/**
 * Drift Detection Method on a stream of errors (1 wrong, 0 right): with p the error rate and s = √(p(1−p)/n) of the values
 * since the last drift, drift when p + s > p_min + 3 s_min, warning at 2 s_min. Gama, Medas, Castillo & Rodrigues (2004),
 * SBIA, 286–295; same detections as river.drift.binary.DDM. Sees rises only; assumes independent errors; slow on gradual
 * drift, and slower the longer it has been quiet.
 */
export class Ddm implements Detector<DdmState> {
  private readonly options: DdmOptions;

  constructor(
    options: Partial<DdmOptions> = {},
    readonly state: DdmState = begin(),
  ) {
    this.options = { warmStart: 30, warningThreshold: 2, driftThreshold: 3, ...options };
  }

  update(value: number): Verdict {
    const { state, options } = this;
    if (state.drifted) Object.assign(state, begin());
    addTo(state.errors, value);
    const { mean: p, count } = state.errors;
    const s = Math.sqrt((p * (1 - p)) / count);
    if (count <= options.warmStart) return 'stable';
    if (state.leastP < 0 || p + s <= state.leastP + state.leastS) {
      state.leastP = p;
      state.leastS = s;
    }
    state.drifted = p + s > state.leastP + options.driftThreshold * state.leastS;
    if (state.drifted) return 'drift';
    return p + s > state.leastP + options.warningThreshold * state.leastS ? 'warning' : 'stable';
  }
}

function begin(): DdmState {
  return { errors: noMoments(), leastP: -1, leastS: -1, drifted: false };
}
