// Confidence-based performance estimation: what a binary classifier's measures are likely to be before labels come.
import { Random } from '../numerics/random';
import { auc } from '../performance';
import { expectedCalibrationError } from '../performance/classification';
import { mean, variance } from '../samples';
import { applyIsotonic, fitIsotonic, type Isotonic } from './isotonic';

export type CbpeMeasure = 'accuracy' | 'precision' | 'recall' | 'specificity' | 'f1' | 'auc';

/** What is kept of the reference: plain data. */
export interface Cbpe {
  readonly threshold: number;
  /** Absent when raw scores are calibrated well enough. */
  readonly calibrator: Isotonic | undefined;
  /** Standard deviation of one row's part in a measure, and the share of rows that have a part in it. */
  readonly spread: Readonly<Record<CbpeMeasure, { readonly deviation: number; readonly fraction: number }>>;
}

export interface Estimate {
  readonly value: number;
  /** Three sampling errors of a window of this size about the value, within [0, 1]. */
  readonly low: number;
  readonly high: number;
}

const BAND = 3;
const SPLITS = 10;
const HELD_OUT = 0.1;

/**
 * Learns from labelled reference rows (scores in [0, 1], labels 0 or 1; both classes, some hundreds of rows) whether and how
 * scores are to be calibrated, and how much each measure varies from sample to sample (NannyML's sampling error).
 */
export function fitCbpe(
  labels: readonly number[],
  scores: readonly number[],
  { threshold = 0.5, calibrate = needsCalibration(labels, scores) }: { threshold?: number; calibrate?: boolean } = {},
): Cbpe {
  const calibrator = calibrate ? fitIsotonic(scores, labels) : undefined;
  return { threshold, calibrator, spread: spreadOf(labels, scores, threshold) };
}

/**
 * Estimates the measures of unlabelled rows: each row counts as positive with its calibrated score, so the expected confusion
 * matrix is a sum of probabilities. Białek et al. 2024, "Estimating Model Performance Under Covariate Shift Without Labels";
 * NannyML's CBPE. Right under data drift while the calibration holds; blind to concept drift, when the same score has come to
 * mean another probability: then only labels tell.
 */
export function estimateCbpe(cbpe: Cbpe, scores: readonly number[]): Record<CbpeMeasure, Estimate> {
  const rows = scores.filter((score) => !Number.isNaN(score));
  const { calibrator } = cbpe;
  const probabilities = calibrator === undefined ? rows : rows.map((score) => applyIsotonic(calibrator, score));
  const cells = expectedConfusion(rows, probabilities, cbpe.threshold);
  const { tp, fp, fn, tn } = cells;
  const values: Record<CbpeMeasure, number> = {
    accuracy: (tp + tn) / rows.length,
    precision: tp / (tp + fp),
    recall: tp / (tp + fn),
    specificity: tn / (tn + fp),
    f1: tp / (tp + (fp + fn) / 2),
    auc: expectedAuc(rows, probabilities),
  };
  const banded = (measure: CbpeMeasure): Estimate => {
    const { deviation, fraction } = cbpe.spread[measure];
    const half = (BAND * deviation) / Math.sqrt(rows.length * fraction);
    const value = values[measure];
    return { value, low: Math.max(value - half, 0), high: Math.min(value + half, 1) };
  };
  return {
    accuracy: banded('accuracy'),
    precision: banded('precision'),
    recall: banded('recall'),
    specificity: banded('specificity'),
    f1: banded('f1'),
    auc: banded('auc'),
  };
}

/**
 * Expected AUC: thresholds step through the raw scores, each row adds its probability to the true positives and the rest to
 * the false ones; trapezoid. Rows with equal scores are one step.
 */
export function expectedAuc(scores: readonly number[], probabilities: readonly number[]): number {
  const order = scores.map((_, index) => index).sort((a, b) => (scores[b] ?? 0) - (scores[a] ?? 0));
  const positives = probabilities.reduce((sum, p) => sum + p, 0);
  const negatives = scores.length - positives;
  let [tp, area] = [0, 0];
  for (let from = 0; from < order.length;) {
    let [p, count] = [0, 0];
    const score = scores[order[from] ?? 0];
    for (; from < order.length && scores[order[from] ?? 0] === score; from += 1, count += 1) {
      p += probabilities[order[from] ?? 0] ?? 0;
    }
    area += (count - p) * (tp + p / 2);
    tp += p;
  }
  return area / (positives * negatives);
}

/**
 * Whether isotonic calibration lowers the expected calibration error on held-out parts: ten stratified draws of a tenth, all
 * put together. As NannyML decides, with draws of our own generator: for scores that are calibrated already either answer
 * may come, and makes little difference.
 */
export function needsCalibration(labels: readonly number[], scores: readonly number[], seed = 42): boolean {
  const ranking = auc(labels, scores);
  if (Number.isNaN(ranking) || ranking > 0.999) return false;
  const random = new Random(seed);
  const [held, raw, calibrated]: [number[], number[], number[]] = [[], [], []];
  const classes = [0, 1].map((wanted) => labels.flatMap((label, row) => (label === wanted ? [row] : [])));
  for (let split = 0; split < SPLITS; split += 1) {
    const test = new Set<number>();
    for (const rows of classes) {
      const count = Math.max(Math.round(rows.length * HELD_OUT), 1);
      for (const drawn of random.sample(rows.length, count)) test.add(rows[drawn] ?? 0);
    }
    const train = labels.flatMap((_, row) => (test.has(row) ? [] : [row]));
    const fitted = fitIsotonic(
      train.map((row) => scores[row] ?? Number.NaN),
      train.map((row) => labels[row] ?? Number.NaN),
    );
    for (const row of test) {
      held.push(labels[row] ?? Number.NaN);
      raw.push(scores[row] ?? Number.NaN);
      calibrated.push(applyIsotonic(fitted, scores[row] ?? Number.NaN));
    }
  }
  return expectedCalibrationError(held, raw) > expectedCalibrationError(held, calibrated);
}

function expectedConfusion(
  scores: readonly number[],
  probabilities: readonly number[],
  threshold: number,
): { readonly tp: number; readonly fp: number; readonly fn: number; readonly tn: number } {
  let [tp, fp, fn, tn] = [0, 0, 0, 0];
  for (const [row, score] of scores.entries()) {
    const p = probabilities[row] ?? Number.NaN;
    if (score >= threshold) {
      tp += p;
      fp += 1 - p;
    } else {
      fn += p;
      tn += 1 - p;
    }
  }
  return { tp, fp, fn, tn };
}

/** NannyML's components of the sampling error: the standard deviation of single rows' parts, and who has a part. */
function spreadOf(labels: readonly number[], scores: readonly number[], threshold: number): Cbpe['spread'] {
  const rows = labels.map((label, row) => ({ label, positive: (scores[row] ?? Number.NaN) >= threshold ? 1 : 0 }));
  const right = (wanted: (row: (typeof rows)[number]) => boolean): number[] =>
    rows.filter(wanted).map((row) => (row.label === row.positive ? 1 : 0));
  const shareOf = (parts: readonly number[]): number => parts.length / rows.length;
  const deviationOf = (parts: readonly number[]): number => Math.sqrt(variance(parts, 0));
  const precision = right((row) => row.positive === 1);
  const recall = right((row) => row.label === 1);
  const specificity = right((row) => row.label === 0);
  const relevant = right((row) => row.positive === 1 || row.label === 1);
  const hits = relevant.reduce((sum, part) => sum + part, 0);
  const weight = relevant.length / ((relevant.length - hits) / 2 + hits);
  return {
    accuracy: { deviation: deviationOf(right(() => true)), fraction: 1 },
    precision: { deviation: deviationOf(precision), fraction: shareOf(precision) },
    recall: { deviation: deviationOf(recall), fraction: shareOf(recall) },
    specificity: { deviation: deviationOf(specificity), fraction: shareOf(specificity) },
    f1: { deviation: deviationOf(relevant.map((part) => part * weight)), fraction: shareOf(relevant) },
    auc: aucSpread(labels, scores),
  };
}

/** For each row of the rarer class the share of the other class on its right side: AUC is the mean of these. */
function aucSpread(labels: readonly number[], scores: readonly number[]): { deviation: number; fraction: number } {
  const rarer = mean(labels) > 0.5 ? 0 : 1;
  const own = scores.filter((_, row) => labels[row] === rarer);
  const others = Float64Array.from(scores.filter((_, row) => labels[row] !== rarer)).sort();
  const shares = own.map((score) => {
    const share = (countBelow(others, score) + countBelow(others, score, true)) / 2 / others.length;
    return rarer === 1 ? share : 1 - share;
  });
  return { deviation: Math.sqrt(variance(shares, 0)), fraction: own.length / labels.length };
}

function countBelow(rising: Float64Array, value: number, orEqual = false): number {
  let [low, high] = [0, rising.length];
  while (low < high) {
    const middle = (low + high) >>> 1;
    const here = rising[middle] ?? 0;
    if (here < value || (orEqual && here === value)) low = middle + 1;
    else high = middle;
  }
  return low;
}
