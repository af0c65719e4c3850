import { mean } from '../samples';

/** |label| below this counts as this: scikit-learn's guard against dividing by zero. */
const SMALLEST = Number.EPSILON;

/** Mean of |prediction − label| / |label|: a share, not a percentage; scikit-learn's number. Huge when labels are near 0. */
export function meanAbsolutePercentageError(labels: readonly number[], predictions: readonly number[]): number {
  return mean(
    labels.map(
      (label, row) => Math.abs((predictions[row] ?? Number.NaN) - label) / Math.max(Math.abs(label), SMALLEST),
    ),
  );
}

/**
 * Coefficient of determination 1 − Σ(y − p)² / Σ(y − ȳ)²; scikit-learn's number, with its 1 (all right) or 0 when labels
 * do not vary. NaN below two rows.
 */
export function rSquared(labels: readonly number[], predictions: readonly number[]): number {
  if (labels.length < 2) return Number.NaN;
  const centre = mean(labels);
  const rest = labels.reduce((sum, label, row) => sum + (label - (predictions[row] ?? Number.NaN)) ** 2, 0);
  const total = labels.reduce((sum, label) => sum + (label - centre) ** 2, 0);
  if (total === 0) return rest === 0 ? 1 : 0;
  return 1 - rest / total;
}
