// What one window says: every statistic with its threshold, and whether the window as a whole crossed.
import type { Monitor } from '@headrace/definitions';
import type { ReferenceDistribution, ReferenceProfile } from './reference-profile';
import { benjaminiHochberg, binaryPerformance, defaultTest, regressionPerformance } from '@headrace/statistics';
import { driftStatistic, isPValue, type DriftStatistic } from './drift-statistics';

export type DriftRules = NonNullable<Monitor['spec']['drift']>;
export type PerformanceRules = NonNullable<Monitor['spec']['performance']>;
type DriftTest = DriftRules['tests'][number];
type PerformanceTest = PerformanceRules['tests'][number];

export interface Evidence {
  readonly subject: string;
  readonly statistic: string;
  readonly value: number;
  /** 0 when it is reported only. */
  readonly threshold: number;
  readonly reference: number;
  readonly crossed: boolean;
}

export interface JudgedEvidence {
  readonly evidence: readonly Evidence[];
  /** As many tests crossed as the rules ask for. */
  readonly crossed: boolean;
}

/** One prediction that the version scored; features in the order of `names`, NaN = missing. */
export interface ScoredRow {
  readonly names: readonly string[];
  readonly features: readonly number[];
  readonly score: number;
}

export interface LabelledRow {
  readonly label: number;
  readonly score: number;
}

const ALWAYS_REPORTED: readonly DriftStatistic[] = ['psi', 'ks'];

interface ChosenTest {
  readonly statistic: DriftStatistic;
  readonly threshold: number;
}

/**
 * PSI and KS of the prediction and of every feature, and what the tests name besides. p-values are adjusted over all tests of
 * the window (Benjamini and Hochberg), so that many features do not cry wolf; they cross at or below their threshold,
 * distances at or above it.
 */
export function driftEvidence(
  rows: readonly ScoredRow[],
  profile: ReferenceProfile,
  rules: DriftRules | undefined,
): JudgedEvidence {
  const tests = rules?.tests ?? [];
  const found: Omit<Evidence, 'crossed'>[] = [];
  const subjects = [{ ...profile.prediction, name: 'prediction' }, ...profile.features];
  for (const reference of subjects) {
    const values = valuesOf(rows, reference.name);
    const asked = tests.filter((test) => test.subject === reference.name).map((test) => chosen(test, reference));
    for (const statistic of new Set([...ALWAYS_REPORTED, ...asked.map((test) => test.statistic)])) {
      const threshold = asked.find((test) => test.statistic === statistic)?.threshold ?? 0;
      const value = driftStatistic(statistic, reference, values);
      found.push({ subject: reference.name, statistic, value, threshold, reference: 0 });
    }
  }
  const adjusted = benjaminiHochberg(found.map((entry) => (isPValue(entry.statistic) ? entry.value : Number.NaN)));
  const evidence = found.map((entry, index): Evidence => {
    if (isPValue(entry.statistic)) {
      const value = adjusted[index] ?? Number.NaN;
      return { ...entry, value, crossed: value <= entry.threshold };
    }
    return { ...entry, crossed: entry.threshold > 0 && entry.value >= entry.threshold };
  });
  return judged(evidence, rules?.crossings ?? 1);
}

function chosen(test: DriftTest, reference: ReferenceDistribution): ChosenTest {
  const { statistic } = test;
  if (statistic !== 'default') return { statistic, threshold: test.threshold ?? 0 };
  const size = reference.counts.reduce((sum, count) => sum + count, 0);
  return defaultTest(size, new Set(reference.sample).size);
}

/** Every performance statistic of the task beside the reference's. */
export function performanceEvidence(
  rows: readonly LabelledRow[],
  profile: ReferenceProfile,
  rules: PerformanceRules | undefined,
): JudgedEvidence {
  const labels = rows.map((row) => row.label);
  const scores = rows.map((row) => row.score);
  const measure = profile.task === 'binary' ? binaryPerformance : regressionPerformance;
  const measured: Record<string, number> = { ...measure(labels, scores) };
  const evidence = Object.entries(measured).map(([statistic, value]): Evidence => {
    const reference = profile.performance[statistic] ?? Number.NaN;
    const test = rules?.tests.find((candidate) => candidate.statistic === statistic);
    const threshold = test === undefined ? 0 : limitOf(test, reference);
    return {
      subject: 'prediction',
      statistic,
      value,
      threshold,
      reference,
      crossed: test !== undefined && isWorse(test, value, threshold),
    };
  });
  return judged(evidence, rules?.crossings ?? 1);
}

/** The value from which a test counts as crossed. */
function limitOf(test: PerformanceTest, reference: number): number {
  if (test.worseByFactor !== undefined) return reference * test.worseByFactor;
  const by = test.worseBy ?? 0;
  if (test.statistic === 'auc') return reference - by;
  return (test.statistic === 'calibration' ? Math.abs(reference) : reference) + by;
}

function isWorse(test: PerformanceTest, value: number, limit: number): boolean {
  if (test.statistic === 'auc') return value <= limit;
  return (test.statistic === 'calibration' ? Math.abs(value) : value) >= limit;
}

function valuesOf(rows: readonly ScoredRow[], subject: string): number[] {
  if (subject === 'prediction') return rows.map((row) => row.score);
  const columns = new Map<readonly string[], number>();
  return rows.map((row) => {
    let column = columns.get(row.names);
    if (column === undefined) {
      column = row.names.indexOf(subject);
      columns.set(row.names, column);
    }
    return row.features[column] ?? Number.NaN;
  });
}

function judged(evidence: readonly Evidence[], crossings: number): JudgedEvidence {
  return { evidence, crossed: evidence.filter((entry) => entry.crossed).length >= crossings };
}
