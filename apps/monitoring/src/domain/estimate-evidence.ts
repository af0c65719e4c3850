// What performance is likely to be before labels come, and whether labels then say what the scores promised.
import { applyIsotonic, binCounts, estimateCbpe, fitCbpe, quantileEdges, type Cbpe } from '@headrace/statistics';
import type { JudgedEvidence, ScoredRow } from './evidence';
import { estimateLosses } from './loss-estimate';
import { againstReference, referenceOf, type EstimateRules, type LabelledRow } from './performance-evidence';
import type { ReferenceProfile } from './reference-profile';

/** Fewer labelled rows, or fewer of the rarer class, calibrate nothing. */
const LEAST_ROWS = 200;
const LEAST_OF_A_CLASS = 20;

const fitted = new WeakMap<ReferenceProfile, Map<number, Cbpe>>();

/**
 * Whether performance can be estimated by this profile: binary models with enough labelled scores of both classes, regressions
 * with enough of them and a loss model.
 */
export function canEstimate(profile: ReferenceProfile): boolean {
  return profile.task === 'binary' ? isCalibratable(profile) : lossesKnown(profile) !== undefined;
}

/** Whether scores are probabilities that labels can contradict. */
export function isCalibratable({ task, labelled }: ReferenceProfile): boolean {
  if (task !== 'binary' || !labelled || labelled.labels.length < LEAST_ROWS) return false;
  const positives = labelled.labels.filter((label) => label === 1).length;
  return Math.min(positives, labelled.labels.length - positives) >= LEAST_OF_A_CLASS;
}

function lossesKnown({ labelled, lossTrees }: ReferenceProfile) {
  return labelled && lossTrees && labelled.labels.length >= LEAST_ROWS ? { labelled, lossTrees } : undefined;
}

/** Every measure that CBPE (of a regression: DLE) estimates, with its band, beside the reference's. The profile can estimate. */
export function estimateEvidence(
  rows: readonly ScoredRow[],
  profile: ReferenceProfile,
  rules: EstimateRules | undefined,
  decisionThreshold: number,
): JudgedEvidence {
  const losses = profile.task === 'regression' ? lossesKnown(profile) : undefined;
  const estimates = losses
    ? estimateLosses(rows, losses.lossTrees, losses.labelled)
    : estimateCbpe(
        cbpeOf(profile, decisionThreshold),
        rows.map((row) => row.score),
      );
  return againstReference({ ...estimates }, referenceOf(profile, decisionThreshold), rules);
}

/** From so many standard errors on labels contradict the scores: as the band of the estimates. */
const CONTRADICTION = 3;

/** Scores no longer mean what they meant in the reference. */
export function contradicts(z: number): boolean {
  return z >= CONTRADICTION;
}

export interface Expectation {
  /** Brier score of the rows. */
  readonly measured: number;
  /** What it would be if each calibrated score were the probability of its label. */
  readonly expected: number;
  /** (measured − expected) / standard error. */
  readonly z: number;
}

/** Bins of the reference's scores, of about equal size, in which its calibration is as uncertain as its labels there. */
const BINS = 20;

/**
 * Spiegelhalter's test (1986, Statistics in Medicine 5, 421–433) of the calibrated scores c: given them, the Brier score of the
 * raw scores s has expectation Σ [c(1 − s)² + (1 − c)s²]/n and variance Σ c(1 − c)(1 − 2s)²/n². c itself was learnt from m labels
 * in each bin of scores: that adds (Σ (1 − 2s))² c(1 − c)/m for each bin, so that many rows where the reference had few do not
 * pass for a contradiction. A change of the inputs alone leaves z near 0, however bad performance is; labels beyond it say
 * that the relation between inputs and truth changed. Rows are taken as independent. The profile is calibratable; NaN without
 * rows.
 */
export function expectationOf(
  rows: readonly LabelledRow[],
  profile: ReferenceProfile,
  decisionThreshold: number,
): Expectation {
  const { calibrator } = cbpeOf(profile, decisionThreshold);
  const known = profile.labelled?.scores ?? [];
  const edges = quantileEdges(known, BINS);
  const learntFrom = binCounts(known, edges, 'left');
  const bins = learntFrom.map(() => ({ rows: 0, leverage: 0, probability: 0 }));
  let [measured, expected, variance] = [0, 0, 0];
  for (const { label, score } of rows) {
    const p = calibrator === undefined ? score : applyIsotonic(calibrator, score);
    measured += (label - score) ** 2;
    expected += p * (1 - score) ** 2 + (1 - p) * score ** 2;
    variance += p * (1 - p) * (1 - 2 * score) ** 2;
    const bin = bins[edges.filter((edge) => score >= edge).length];
    if (!bin) continue;
    bin.rows += 1;
    bin.leverage += 1 - 2 * score;
    bin.probability += p;
  }
  for (const [index, bin] of bins.entries()) {
    const p = bin.probability / bin.rows;
    if (bin.rows > 0) variance += (bin.leverage ** 2 * p * (1 - p)) / Math.max(learntFrom[index] ?? 0, 1);
  }
  return {
    measured: measured / rows.length,
    expected: expected / rows.length,
    z: (measured - expected) / Math.sqrt(variance),
  };
}

function cbpeOf(profile: ReferenceProfile, threshold: number): Cbpe {
  const known = fitted.get(profile) ?? new Map<number, Cbpe>();
  fitted.set(profile, known);
  let cbpe = known.get(threshold);
  if (!cbpe) {
    const { labels, scores } = profile.labelled ?? { labels: [], scores: [] };
    cbpe = fitCbpe(labels, scores, { threshold });
    known.set(threshold, cbpe);
  }
  return cbpe;
}
