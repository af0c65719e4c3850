// What the labels of one window say about the champion: every measure of its task, beside the reference's.
import type { Monitor } from '@headrace/definitions';
import { allMeasures, type Interval } from '@headrace/statistics';
import { judged, type Evidence, type JudgedEvidence } from './evidence';
import type { ReferenceProfile } from './reference-profile';

export type PerformanceRules = NonNullable<Monitor['spec']['performance']>;
export type EstimateRules = NonNullable<Monitor['spec']['estimate']>;
type WorseTest = PerformanceRules['tests'][number] | EstimateRules['tests'][number];

export interface LabelledRow {
  readonly label: number;
  readonly score: number;
}

/** Higher is better. */
const RISING: ReadonlySet<string> = new Set(['auc', 'accuracy', 'precision', 'recall', 'specificity', 'f1', 'r2']);

/** Every measure of the task with its interval, beside the reference's. */
export function performanceEvidence(
  rows: readonly LabelledRow[],
  profile: ReferenceProfile,
  rules: PerformanceRules | undefined,
  decisionThreshold: number,
): JudgedEvidence {
  const measures = allMeasures(
    profile.task,
    rows.map((row) => row.label),
    rows.map((row) => row.score),
    { threshold: decisionThreshold },
  );
  return againstReference(measures, referenceOf(profile, decisionThreshold), rules);
}

/** Measures, of labels or estimated, and the tests that name them. */
export function againstReference(
  measures: Readonly<Record<string, Interval>>,
  reference: Readonly<Record<string, number>>,
  rules: PerformanceRules | EstimateRules | undefined,
): JudgedEvidence {
  const tests: readonly WorseTest[] = rules?.tests ?? [];
  const evidence = Object.entries(measures).map(([statistic, { value, low, high }]): Evidence => {
    const before = reference[statistic] ?? Number.NaN;
    const test = tests.find((candidate) => candidate.statistic === statistic);
    const threshold = test === undefined ? 0 : limitOf(test, before);
    return {
      subject: 'prediction',
      statistic,
      value,
      threshold,
      reference: before,
      crossed: test !== undefined && isWorse(test, value, threshold),
      ...(Number.isFinite(low) && Number.isFinite(high) ? { low, high } : {}),
    };
  });
  return judged(evidence, rules?.crossings ?? 1);
}

const references = new WeakMap<ReferenceProfile, Map<number, Readonly<Record<string, number>>>>();

/**
 * Measures of the reference: what the trainer measured on its whole validation part; what it did not, on the labelled rows of
 * it that the profile keeps. NaN where neither is known.
 */
export function referenceOf(profile: ReferenceProfile, decisionThreshold: number): Readonly<Record<string, number>> {
  const known = references.get(profile) ?? new Map<number, Readonly<Record<string, number>>>();
  references.set(profile, known);
  const found = known.get(decisionThreshold);
  if (found) return found;
  const { labels, scores } = profile.labelled ?? { labels: [], scores: [] };
  const ofRows = labels.length === 0 ? {} : allMeasures(profile.task, labels, scores, { threshold: decisionThreshold });
  // The trainer's accuracy is at 0.5, whatever was declared.
  const { accuracy: _atHalf, ...measuredByTrainer } = profile.performance;
  const reference = {
    ...Object.fromEntries(Object.entries(ofRows).map(([name, measure]) => [name, measure.value])),
    ...measuredByTrainer,
  };
  known.set(decisionThreshold, reference);
  return reference;
}

/** The value from which a test counts as crossed. */
function limitOf(test: WorseTest, reference: number): number {
  if (test.worseByFactor !== undefined) return reference * test.worseByFactor;
  const by = test.worseBy ?? 0;
  if (RISING.has(test.statistic)) return reference - by;
  return (test.statistic === 'calibration' ? Math.abs(reference) : reference) + by;
}

function isWorse(test: WorseTest, value: number, limit: number): boolean {
  if (RISING.has(test.statistic)) return value <= limit;
  return (test.statistic === 'calibration' ? Math.abs(value) : value) >= limit;
}
