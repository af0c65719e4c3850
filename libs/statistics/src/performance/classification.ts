// Measures of a binary classifier at a threshold. Labels are 0 or 1, scores are probabilities of 1.
import { mean } from '../samples';
import { proportionInterval, type Interval } from './intervals';

export interface Confusion {
  readonly truePositives: number;
  readonly falsePositives: number;
  readonly falseNegatives: number;
  readonly trueNegatives: number;
}

/** Positive is a score of at least the threshold. */
export function confusionOf(labels: readonly number[], scores: readonly number[], threshold = 0.5): Confusion {
  const counts = [0, 0, 0, 0];
  for (const [row, label] of labels.entries()) {
    const cell = (label === 1 ? 0 : 1) + ((scores[row] ?? Number.NaN) >= threshold ? 0 : 2);
    counts[cell] = (counts[cell] ?? 0) + 1;
  }
  const [truePositives = 0, falsePositives = 0, falseNegatives = 0, trueNegatives = 0] = counts;
  return { truePositives, falsePositives, falseNegatives, trueNegatives };
}

export type ClassificationMeasure = 'accuracy' | 'precision' | 'recall' | 'specificity' | 'f1';

/**
 * Accuracy, precision, recall, specificity (scikit-learn's numbers) with Wilson's intervals, given their denominators. F1 =
 * 2J/(1 + J) with J = TP/(TP + FP + FN) is a rising function of a proportion, so the ends of J's interval are mapped (Hand,
 * Christen & Kirielle 2021, Machine Learning 110, 451–456, for the function). NaN where the denominator is empty.
 */
export function classificationMeasures(confusion: Confusion): Record<ClassificationMeasure, Interval> {
  const { truePositives, falsePositives, falseNegatives, trueNegatives } = confusion;
  const rows = truePositives + falsePositives + falseNegatives + trueNegatives;
  const overlap = proportionInterval(truePositives, truePositives + falsePositives + falseNegatives);
  const f1Of = (share: number): number => (2 * share) / (1 + share);
  return {
    accuracy: proportionInterval(truePositives + trueNegatives, rows),
    precision: proportionInterval(truePositives, truePositives + falsePositives),
    recall: proportionInterval(truePositives, truePositives + falseNegatives),
    specificity: proportionInterval(trueNegatives, trueNegatives + falsePositives),
    f1: { value: f1Of(overlap.value), low: f1Of(overlap.low), high: f1Of(overlap.high) },
  };
}

/**
 * Expected calibration error: rows sorted by score are cut into `bins` groups of ⌊n/bins⌋ (the last takes the rest), and
 * |mean label − mean score| is averaged by size; as NannyML has it (Naeini, Cooper & Hauskrecht 2015, with equal counts in
 * place of equal widths). Fewer than 2·bins rows: groups of two; NaN below four rows. Biased upwards by about √(bins/n).
 */
export function expectedCalibrationError(labels: readonly number[], scores: readonly number[], bins = 10): number {
  const rows = labels.map((label, row) => ({ label, score: scores[row] ?? Number.NaN }));
  rows.sort((a, b) => a.score - b.score);
  const groups = rows.length <= 2 * bins ? Math.floor(rows.length / 2) : bins;
  if (groups < 2) return Number.NaN;
  const width = Math.floor(rows.length / groups);
  const starts = Array.from({ length: Math.floor(rows.length / width) }, (_, group) => group * width);
  let error = 0;
  for (const [group, start] of starts.entries()) {
    const inside = rows.slice(start, starts[group + 1] ?? rows.length);
    const apart = mean(inside.map((row) => row.label)) - mean(inside.map((row) => row.score));
    error += (inside.length / rows.length) * Math.abs(apart);
  }
  return error;
}
