// Confidence sequences for the mean of bounded values: intervals that hold at every look at once, without any assumption
// about the shape of the distribution.

export interface BoundedSequenceOptions {
  /** Every value lies in [lowest, highest]. Differences of Brier scores: [−1, 1]. */
  readonly lowest: number;
  readonly highest: number;
  /** Probability that the true mean ever lies outside. */
  readonly alpha: number;
}

/** What is kept between values; plain data. Sums are of values scaled to [0, 1]. */
export interface BoundedSequenceState {
  count: number;
  total: number;
  /** Sum of squared distances of each value from the mean estimated with it. */
  squares: number;
  weights: number;
  weightedTotal: number;
  penalty: number;
  /** Intersection of all intervals so far, scaled. */
  low: number;
  high: number;
}

/** Weights stay below this: 1 would make the penalty infinite. */
const LARGEST_WEIGHT = 0.5;

/**
 * Predictable plug-in empirical-Bernstein confidence sequence: Waudby-Smith & Ramdas (2024), "Estimating means of bounded
 * random variables by betting", JRSS B 86(1), 1–27, Theorem 2 with λ by their (15), after Howard, Ramdas, McAuliffe & Sekhon
 * (2021), Annals of Statistics 49(2). With values x in [0, 1], means μ̂ₜ = (½ + Σx)/(t + 1) and variances σ̂²ₜ = (¼ + Σ(xᵢ − μ̂ᵢ)²)/(t + 1):
 *
 *     λₜ = min(√(2 ln(2/α) / (σ̂²ₜ₋₁ t ln(1 + t))), ½),   vₜ = 4 (xₜ − μ̂ₜ₋₁)²,   ψ(λ) = (−ln(1 − λ) − λ)/4
 *     Σλx/Σλ ± (ln(2/α) + Σ v ψ(λ)) / Σλ,   and all of these intersected.
 *
 * Needs only that each value's expectation, given those before, is the mean; so values of neighbours in time that are alike
 * belong into blocks (ADR 8), and a block's mean is again bounded. Wider than `confidenceSequence`, which takes block means
 * as roughly normal, and finite from the first value. Closed form: constant memory, one step a value.
 */
export class BoundedSequence {
  private readonly penaltyAtStart: number;

  constructor(
    private readonly options: BoundedSequenceOptions,
    readonly state: BoundedSequenceState = {
      count: 0,
      total: 0,
      squares: 0,
      weights: 0,
      weightedTotal: 0,
      penalty: 0,
      low: 0,
      high: 1,
    },
  ) {
    const { lowest, highest, alpha } = options;
    if (!(lowest < highest)) throw new RangeError('bounded sequence: expected lowest < highest');
    if (!(alpha > 0 && alpha < 1)) throw new RangeError('bounded sequence: expected alpha between 0 and 1');
    this.penaltyAtStart = Math.log(2 / alpha);
  }

  /** Throws a RangeError for a value outside of the bounds: the guarantee would be void. */
  add(value: number): void {
    const { state, options } = this;
    const x = (value - options.lowest) / (options.highest - options.lowest);
    if (!(x >= 0 && x <= 1)) {
      throw new RangeError(
        `bounded sequence: expected a value in [${options.lowest}, ${options.highest}], got ${value}`,
      );
    }
    const t = state.count + 1;
    const meanBefore = (0.5 + state.total) / t;
    const varianceBefore = (0.25 + state.squares) / t;
    const weight = Math.min(
      Math.sqrt((2 * this.penaltyAtStart) / (varianceBefore * t * Math.log(1 + t))),
      LARGEST_WEIGHT,
    );
    state.count = t;
    state.total += x;
    state.squares += (x - (0.5 + state.total) / (t + 1)) ** 2;
    state.weights += weight;
    state.weightedTotal += weight * x;
    state.penalty += (x - meanBefore) ** 2 * (-Math.log1p(-weight) - weight);
    const centre = state.weightedTotal / state.weights;
    const half = (this.penaltyAtStart + state.penalty) / state.weights;
    state.low = Math.max(state.low, centre - half);
    state.high = Math.min(state.high, centre + half);
  }

  /** NaN and the bounds themselves before the first value. Empty (low > high) only if the true mean was missed on the way. */
  get interval(): { readonly mean: number; readonly low: number; readonly high: number } {
    const { state, options } = this;
    const width = options.highest - options.lowest;
    return {
      mean: options.lowest + width * (state.total / state.count),
      low: options.lowest + width * state.low,
      high: options.lowest + width * state.high,
    };
  }
}
