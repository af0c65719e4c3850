// Every measure of a model with its interval, by task: what monitoring shows without being asked.
import { measured } from '../performance';
import { mean, variance } from '../samples';
import { classificationMeasures, confusionOf, expectedCalibrationError } from './classification';
import type { Interval } from './intervals';
import { meanAbsolutePercentageError, rSquared } from './regression';

const Z95 = 1.959963984540054;
const BINS = 10;

export interface MeasuresOptions {
  /** Binary: scores at or above it count as positive. */
  readonly threshold?: number;
}

/**
 * What `measured` has, and: accuracy, precision, recall, specificity, f1 at the threshold (Wilson), ece; or mape, r2 (both by
 * the delta method: the normal approximation over each row's influence). NaN without rows; 95 % intervals, rows taken as
 * independent. The ece's interval takes the sides on which its bins lie as known: it is too narrow for calibrated scores,
 * and the value is biased upwards by about √(bins/n).
 */
export function allMeasures(
  task: 'binary' | 'regression',
  labels: readonly number[],
  scores: readonly number[],
  { threshold = 0.5 }: MeasuresOptions = {},
): Record<string, Interval> {
  if (task === 'binary') {
    const atThreshold = classificationMeasures(confusionOf(labels, scores, threshold));
    return { ...measured(task, labels, scores), ...atThreshold, ece: eceInterval(labels, scores) };
  }
  return {
    ...measured(task, labels, scores),
    mape: byInfluence(meanAbsolutePercentageError(labels, scores), percentages(labels, scores), 0),
    r2: rSquaredInterval(labels, scores),
  };
}

/** R² = 1 − A/B with A = mean (y − p)², B = mean (y − ȳ)²: a row's influence is (A/B · (y − ȳ)² − (y − p)²) / B. */
function rSquaredInterval(labels: readonly number[], predictions: readonly number[]): Interval {
  const centre = mean(labels);
  const errors = labels.map((label, row) => (label - (predictions[row] ?? Number.NaN)) ** 2);
  const spreads = labels.map((label) => (label - centre) ** 2);
  const [a, b] = [mean(errors), mean(spreads)];
  const influence = errors.map((error, row) => ((a / b) * (spreads[row] ?? Number.NaN) - error) / b);
  return byInfluence(rSquared(labels, predictions), influence, -Infinity, 1);
}

function eceInterval(labels: readonly number[], scores: readonly number[]): Interval {
  const rows = labels.map((label, row) => ({ apart: label - (scores[row] ?? Number.NaN), score: scores[row] ?? 0 }));
  rows.sort((a, b) => a.score - b.score);
  const width = Math.max(Math.floor(rows.length / BINS), 1);
  const influence: number[] = [];
  for (let bin = 0; bin < BINS; bin += 1) {
    const inside = rows.slice(bin * width, bin === BINS - 1 ? rows.length : (bin + 1) * width);
    const side = Math.sign(mean(inside.map((row) => row.apart)));
    for (const row of inside) influence.push(side * row.apart);
  }
  return byInfluence(expectedCalibrationError(labels, scores, BINS), influence, 0, 1);
}

function percentages(labels: readonly number[], predictions: readonly number[]): number[] {
  return labels.map((label, row) => meanAbsolutePercentageError([label], [predictions[row] ?? Number.NaN]));
}

function byInfluence(value: number, influence: readonly number[], lowest: number, highest = Infinity): Interval {
  if (influence.length < 2) return { value, low: value, high: value };
  const half = Z95 * Math.sqrt(variance(influence, 1) / influence.length);
  return { value, low: Math.max(value - half, lowest), high: Math.min(value + half, highest) };
}
