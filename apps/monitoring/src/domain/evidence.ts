// What one window says: every statistic with its threshold, and whether the window as a whole crossed.
import type { Monitor } from '@headrace/definitions';
import type { ReferenceDistribution, ReferenceProfile } from './reference-profile';
import { benjaminiHochberg, defaultTest } from '@headrace/statistics';
import { falseAlarmsOf, ownDistances, thresholdFor, windowFalseAlarms, type Cadence } from './calibration';
import { driftStatistic, isPValue, needsValues, type DriftStatistic } from './drift-statistics';
import { DriftWindow, PREDICTION } from './drift-window';
import { RECONSTRUCTION, reconstructionEvidence, ReconstructionErrors } from './reconstruction';

export type DriftRules = NonNullable<Monitor['spec']['drift']>;
/** What windows are compared with: of the training, or of earlier windows, which do not say how features go together. */
export type DriftProfile = Pick<ReferenceProfile, 'prediction' | 'features'> &
  Partial<Pick<ReferenceProfile, 'reconstruction'>>;
type Declared = DriftRules['tests'][number];
/** Of one subject. */
type DriftTest = Declared & { readonly statistic: Exclude<Declared['statistic'], typeof RECONSTRUCTION> };

export interface Evidence {
  readonly subject: string;
  readonly statistic: string;
  readonly value: number;
  /** 0 when it is reported only. */
  readonly threshold: number;
  readonly reference: number;
  readonly crossed: boolean;
  /** Interval of the value, where there is one. */
  readonly low?: number;
  readonly high?: number;
  /** Probability that the test crosses in a window without change; absent: not known. */
  readonly falseAlarms?: number;
  /** Why its test could not be judged; absent: it was. */
  readonly notJudged?: string;
}

export interface JudgedEvidence {
  readonly evidence: readonly Evidence[];
  /** As many tests crossed as the rules ask for. */
  readonly crossed: boolean;
  /** Probability, at most, that a window without change crosses; absent: not known. */
  readonly falseAlarms?: number;
}

/** One prediction that the version scored; features in the order of `names`, NaN = missing. */
export interface ScoredRow {
  readonly names: readonly string[];
  readonly features: readonly number[] | Float64Array;
  readonly score: number;
}

const ALWAYS_REPORTED: readonly DriftStatistic[] = ['psi', 'ks'];

interface ChosenTest {
  readonly statistic: DriftStatistic;
  /** Infinity: it was to be taken from the reference's own windows, of which there are too few. */
  readonly threshold: number;
  /** NaN: not known. */
  readonly falseAlarms: number;
}

/** What a window is compared in. */
function subjectsOf(profile: DriftProfile): ReferenceDistribution[] {
  return [{ ...profile.prediction, name: PREDICTION }, ...profile.features];
}

function isOfOneSubject(test: Declared): test is DriftTest {
  return test.statistic !== RECONSTRUCTION;
}

/** An empty window that keeps what these rules need of it. */
export function driftWindow(profile: DriftProfile, rules: DriftRules | undefined): DriftWindow {
  const subjects = subjectsOf(profile);
  const tests = rules?.tests ?? [];
  const ofOne = tests.filter(isOfOneSubject);
  const ofValues = subjects.filter((reference) =>
    ofOne.some((test) => test.subject === reference.name && needsValues(statisticOf(test, reference).statistic)),
  );
  const together = ofOne.length < tests.length ? profile.reconstruction : undefined;
  return new DriftWindow(
    subjects,
    ofValues.map(({ name }) => name),
    together && new ReconstructionErrors(together),
  );
}

/**
 * PSI and KS of the prediction and of every feature, and what the tests name besides. p-values are adjusted over all tests of
 * the window (Benjamini and Hochberg), so that many features do not cry wolf; they cross at or below their threshold,
 * distances at or above it. Thresholds that are declared by their false alarms come from the reference's own windows.
 */
export function driftEvidence(
  window: DriftWindow,
  profile: DriftProfile,
  rules: DriftRules | undefined,
  cadence: Cadence,
): JudgedEvidence {
  const tests = (rules?.tests ?? []).filter(isOfOneSubject);
  const ofAll = rules?.tests.find((test) => test.statistic === RECONSTRUCTION);
  const together = ofAll ? reconstructionEvidence(window.together, profile.reconstruction, ofAll, cadence) : [];
  const crossings = rules?.crossings ?? 1;
  const found: Omit<Evidence, 'crossed'>[] = [];
  const declared: ChosenTest[] = [];
  for (const reference of subjectsOf(profile)) {
    const subject = window.of(reference.name);
    const asked = tests
      .filter((test) => test.subject === reference.name)
      .map((test) => chosen(test, reference, cadence));
    for (const statistic of new Set([...ALWAYS_REPORTED, ...asked.map((test) => test.statistic)])) {
      const test = asked.find((one) => one.statistic === statistic);
      if (test) declared.push(test);
      const value = driftStatistic(statistic, reference, subject);
      found.push({
        subject: reference.name,
        statistic,
        value,
        threshold: test?.threshold ?? 0,
        reference: 0,
        ...(test && !Number.isNaN(test.falseAlarms) ? { falseAlarms: test.falseAlarms } : {}),
      });
    }
  }
  const adjusted = benjaminiHochberg(found.map((entry) => (isPValue(entry.statistic) ? entry.value : Number.NaN)));
  const ofSubjects = found.map((entry, index): Evidence => {
    if (isPValue(entry.statistic)) {
      const value = adjusted[index] ?? Number.NaN;
      return { ...entry, value, crossed: value <= entry.threshold };
    }
    return { ...entry, crossed: entry.threshold > 0 && entry.value >= entry.threshold };
  });
  const evidence = [...ofSubjects, ...together];
  // What is not judged does not cross.
  const ofTogether = together.filter(({ threshold, notJudged }) => threshold > 0 && notJudged === undefined);
  const [pValues, distances] = [true, false].map((wanted) =>
    declared.filter((test) => isPValue(test.statistic) === wanted),
  );
  const falseAlarms = windowFalseAlarms(
    [...(distances ?? []), ...ofTogether].map((test) => test.falseAlarms ?? Number.NaN),
    (pValues ?? []).map((test) => test.threshold),
    crossings,
  );
  return {
    ...judged(evidence, crossings),
    ...(declared.length + ofTogether.length === 0 || Number.isNaN(falseAlarms) ? {} : { falseAlarms }),
  };
}

function chosen(test: DriftTest, reference: ReferenceDistribution, cadence: Cadence): ChosenTest {
  const named = statisticOf(test, reference);
  if (isPValue(named.statistic)) return { ...named, falseAlarms: named.threshold };
  const own = ownDistances(reference, named.statistic, cadence);
  if (test.falseAlarms !== undefined) {
    const calibrated = thresholdFor(own, test.falseAlarms);
    if (Number.isFinite(calibrated.threshold)) return { statistic: named.statistic, ...calibrated };
  }
  return { ...named, falseAlarms: falseAlarmsOf(own, named.threshold) };
}

function statisticOf(
  test: DriftTest,
  reference: ReferenceDistribution,
): { readonly statistic: DriftStatistic; readonly threshold: number } {
  const { statistic } = test;
  if (statistic !== 'default') return { statistic, threshold: test.threshold ?? Infinity };
  const size = reference.counts.reduce((sum, count) => sum + count, 0);
  return defaultTest(size, new Set(reference.sample).size);
}

/** One for each row, NaN where it has none. */
export function valuesOf(rows: readonly ScoredRow[], subject: string): number[] {
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

/** Whether no test of the window could be judged: it says nothing, neither drift nor none. */
export function isUnjudged(evidence: readonly Evidence[]): boolean {
  const tests = evidence.filter(({ threshold }) => threshold !== 0);
  return tests.length > 0 && tests.every(({ notJudged }) => notJudged !== undefined);
}

/** Whether the window crossed. */
export function judged(evidence: readonly Evidence[], crossings: number): JudgedEvidence {
  return { evidence, crossed: evidence.filter((entry) => entry.crossed).length >= crossings };
}
