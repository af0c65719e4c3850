// Direct loss estimation: what a regression's error is likely to be before labels come.
import { mean, variance } from '../samples';

/** What is kept of the reference: how much one row's loss varies. Plain data. */
export interface Dle {
  readonly absoluteDeviation: number;
  readonly squaredDeviation: number;
  readonly squaredMean: number;
}

export interface LossEstimate {
  readonly value: number;
  /** Three sampling errors of a window of this size about the value, not below 0. */
  readonly low: number;
  readonly high: number;
}

const BAND = 3;

/** From labelled reference rows (two or more). */
export function fitDle(labels: readonly number[], predictions: readonly number[]): Dle {
  const errors = labels.map((label, row) => label - (predictions[row] ?? Number.NaN));
  const squares = errors.map((error) => error ** 2);
  return {
    absoluteDeviation: Math.sqrt(variance(errors.map(Math.abs), 0)),
    squaredDeviation: Math.sqrt(variance(squares, 0)),
    squaredMean: mean(squares),
  };
}

/**
 * MAE and RMSE of unlabelled rows from the losses that a second model, trained on the reference's losses by the same
 * features, predicts for them; with NannyML's sampling errors. NannyML's DLE averages the predictions of a LightGBM in the
 * same way; LossModel evaluates such trees. Right while losses depend on the features as they did; blind to
 * concept drift.
 */
export function estimateDle(
  dle: Dle,
  absoluteLosses: readonly number[],
  squaredLosses: readonly number[],
): { readonly mae: LossEstimate; readonly rmse: LossEstimate } {
  const rows = absoluteLosses.length;
  return {
    mae: banded(mean(absoluteLosses), dle.absoluteDeviation / Math.sqrt(rows)),
    rmse: banded(Math.sqrt(mean(squaredLosses)), dle.squaredDeviation / Math.sqrt(4 * rows * dle.squaredMean)),
  };
}

function banded(value: number, error: number): LossEstimate {
  return { value, low: Math.max(value - BAND * error, 0), high: value + BAND * error };
}
