// Performance of scores against labels. Formulas: docs/adr/0010; arrays are parallel, one entry a row.
import type { Interval } from './performance/intervals';
import { mean, midranks, variance } from './samples';

const CLIP = 1e-15;
const Z95 = 1.959963984540054;

export interface BinaryPerformance {
  readonly brier: number;
  readonly log_loss: number;
  readonly auc: number;
  /** mean label − mean score. */
  readonly calibration: number;
}

export interface RegressionPerformance {
  readonly mae: number;
  readonly rmse: number;
  readonly calibration: number;
}

export function binaryPerformance(labels: readonly number[], scores: readonly number[]): BinaryPerformance {
  return {
    brier: mean(squaredErrors(labels, scores)),
    log_loss: mean(logLosses(labels, scores)),
    auc: auc(labels, scores),
    calibration: mean(labels) - mean(scores),
  };
}

export function regressionPerformance(labels: readonly number[], scores: readonly number[]): RegressionPerformance {
  return {
    mae: mean(labels.map((label, row) => Math.abs((scores[row] ?? Number.NaN) - label))),
    rmse: Math.sqrt(mean(squaredErrors(labels, scores))),
    calibration: mean(labels) - mean(scores),
  };
}

/** (R₁ − n₁(n₁+1)/2) / (n₁ n₀), ties at their mean rank (Mann–Whitney). NaN without both classes. */
export function auc(labels: readonly number[], scores: readonly number[]): number {
  const ranks = midranks(scores);
  let positives = 0;
  let rankSum = 0;
  for (const [row, label] of labels.entries()) {
    if (label !== 1) continue;
    positives += 1;
    rankSum += ranks[row] ?? 0;
  }
  const negatives = labels.length - positives;
  if (positives === 0 || negatives === 0) return Number.NaN;
  return (rankSum - (positives * (positives + 1)) / 2) / (positives * negatives);
}

/**
 * AUC with DeLong's interval: DeLong, DeLong & Clarke-Pearson (1988), Biometrics 44(3), 837–845, from midranks as in Sun &
 * Xu (2014), IEEE Signal Processing Letters 21(11), 1389–1393. Clipped to [0, 1]; needs two rows of each class, else the
 * interval is [0, 1].
 */
export function aucInterval(labels: readonly number[], scores: readonly number[]): Interval {
  const positive = scores.filter((_, row) => labels[row] === 1);
  const negative = scores.filter((_, row) => labels[row] !== 1);
  const value = auc(labels, scores);
  if (positive.length < 2 || negative.length < 2) return { value, low: 0, high: 1 };
  const all = midranks([...positive, ...negative]);
  const within1 = midranks(positive);
  const within0 = midranks(negative);
  const above = positive.map((_, i) => ((all[i] ?? 0) - (within1[i] ?? 0)) / negative.length);
  const below = negative.map((_, i) => 1 - ((all[positive.length + i] ?? 0) - (within0[i] ?? 0)) / positive.length);
  const error = Math.sqrt(variance(above, 1) / positive.length + variance(below, 1) / negative.length);
  return { value, low: Math.max(value - Z95 * error, 0), high: Math.min(value + Z95 * error, 1) };
}

/** Mean with the normal approximation's interval (sample variance, ddof 1); without width below two values. */
export function meanInterval(values: readonly number[], lowest = -Infinity): Interval {
  const value = mean(values);
  if (values.length < 2) return { value, low: value, high: value };
  const half = Z95 * Math.sqrt(variance(values, 1) / values.length);
  return { value, low: Math.max(value - half, lowest), high: value + half };
}

/** The measures of one version with their intervals, by task. Rows are taken as independent. */
export function measured(
  task: 'binary' | 'regression',
  labels: readonly number[],
  scores: readonly number[],
): Record<string, Interval> {
  const calibration = meanInterval(labels.map((label, row) => label - (scores[row] ?? Number.NaN)));
  const squared = meanInterval(squaredErrors(labels, scores), 0);
  if (task === 'binary') {
    return {
      auc: aucInterval(labels, scores),
      brier: squared,
      log_loss: meanInterval(logLosses(labels, scores), 0),
      calibration,
    };
  }
  return {
    mae: meanInterval(
      labels.map((label, row) => Math.abs((scores[row] ?? Number.NaN) - label)),
      0,
    ),
    // The root is monotone, so it maps the ends of the interval of the mean squared error.
    rmse: { value: Math.sqrt(squared.value), low: Math.sqrt(squared.low), high: Math.sqrt(squared.high) },
    calibration,
  };
}

function squaredErrors(labels: readonly number[], scores: readonly number[]): number[] {
  return labels.map((label, row) => ((scores[row] ?? Number.NaN) - label) ** 2);
}

function logLosses(labels: readonly number[], scores: readonly number[]): number[] {
  return labels.map((label, row) => {
    const p = Math.min(Math.max(scores[row] ?? Number.NaN, CLIP), 1 - CLIP);
    return -(label * Math.log(p) + (1 - label) * Math.log(1 - p));
  });
}
