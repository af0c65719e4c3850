// What one window says, by its kind: reads its rows and holds them against the champion's reference profile.
import type { Transaction } from '@headrace/messaging';
import { RowSample } from '@headrace/statistics';
import { readDetectors, saveDetectors } from '../database/error-detectors.repository';
import { readLabelledScores, type LabelledScore } from '../database/outcomes.repository';
import { readLabelFields } from '../database/label-fields.repository';
import { readServedFeatures } from '../database/served-features.repository';
import { lastScored, readScoredPredictions, type ScoredRange } from '../database/scored-predictions.repository';
import type { ClosedWindow } from '../database/windows.repository';
import { businessMetrics, metricEvidence, type MetricResult } from '../domain/business-metrics';
import { conceptEvidence } from '../domain/concept-evidence';
import { rowsOf, MOST_VALUES, type ScoredColumns } from '../domain/drift-window';
import { canEstimate, estimateEvidence, expectationOf, isCalibratable } from '../domain/estimate-evidence';
import {
  driftEvidence,
  driftWindow,
  isUnjudged,
  judged as judgedBy,
  type Evidence,
  type JudgedEvidence,
  type ScoredRow,
} from '../domain/evidence';
import { isEnough, liveRulesOf, type WindowReference } from '../domain/live-reference';
import { performanceEvidence, type LabelledRow } from '../domain/performance-evidence';
import type { ReferenceProfile } from '../domain/reference-profile';
import { closesByPredictions, type SignalKind } from '../domain/retraining-policy';
import { labelledGroups, SlicedAnswers, type SliceGroup } from '../domain/slices';
import { windowLengthOf } from '../domain/window-rule';
import type { WatchedMonitor } from '../watched-monitors';
import { findDriftReference } from './drift-reference';
import type { FoundWindow } from './find-window';

const NO_EVIDENCE: JudgedEvidence = { evidence: [], crossed: false };

/** What the champion is compared with. */
export interface Reference {
  readonly version: number;
  readonly profile: ReferenceProfile;
}

type PredictionRange = Omit<ScoredRange, 'features'>;

interface FoundEvidence extends JudgedEvidence {
  readonly rows: number;
  /** The last of them. */
  readonly lastPredictionId: string | undefined;
  /** Absent: the training profile. */
  readonly reference?: WindowReference;
  readonly slices?: readonly SliceGroup[];
  readonly metrics?: readonly MetricResult[];
}

/** Drift and performance of every monitor are judged; the others where the profile or the definition allows it. */
export function isJudged(kind: SignalKind, monitor: WatchedMonitor, { profile }: Reference): boolean {
  if (kind === 'estimate') return canEstimate(profile);
  if (kind === 'concept') return monitor.spec.concept !== undefined;
  return true;
}

export async function judgeWindow(
  transaction: Transaction,
  monitor: WatchedMonitor,
  kind: SignalKind,
  reference: Reference,
  window: FoundWindow,
): Promise<ClosedWindow> {
  const found = await findEvidence(transaction, monitor, kind, reference, window);
  const { rows, evidence, crossed, falseAlarms, lastPredictionId } = found;
  const comparable = found.reference === undefined || isEnough(found.reference);
  const judged = rows >= monitor.spec.minimumSample && comparable && !isUnjudged(evidence);
  return {
    monitor: monitor.name,
    kind,
    version: reference.version,
    startMicros: window.startMicros,
    endMicros: window.endMicros,
    judged,
    crossed: judged && crossed,
    predictions: rows,
    labels: closesByPredictions(kind) ? 0 : rows,
    evidence,
    lastPredictionId,
    falseAlarms,
    reference: found.reference,
    revisions: 0,
    slices: found.slices ?? [],
    metrics: found.metrics ?? [],
    closedBy: window.closedBy,
  };
}

async function findEvidence(
  transaction: Transaction,
  monitor: WatchedMonitor,
  kind: SignalKind,
  { version, profile }: Reference,
  { startMicros, endMicros }: FoundWindow,
): Promise<FoundEvidence> {
  const { endpoint, source, spec } = monitor;
  const { decisionThreshold } = spec;
  const range = { endpoint, version, fromMicros: startMicros, toMicros: endMicros };
  if (kind === 'drift') {
    const found = await findDrift(transaction, monitor, profile, range);
    return { ...found, lastPredictionId: await lastScored(transaction, range) };
  }
  if (kind === 'estimate') {
    const { rows, scored } = await readForEstimate(transaction, profile, range);
    const found = { rows, lastPredictionId: await lastScored(transaction, range) };
    if (rows === 0) return { ...found, ...NO_EVIDENCE };
    return { ...found, ...estimateEvidence(scored, profile, spec.estimate, decisionThreshold) };
  }
  const judged = { endpoint, source: source.id };
  const rows = await readLabelledScores(transaction, judged, version, startMicros, endMicros);
  const labelled = { rows: rows.length, lastPredictionId: rows.at(-1)?.predictionId };
  if (rows.length === 0) return { ...labelled, ...NO_EVIDENCE };
  if (kind === 'performance') {
    const { evidence } = performanceEvidence(rows, profile, spec.performance, decisionThreshold);
    const slices = await findSlices(transaction, rows, monitor, profile);
    const metrics = await findMetrics(transaction, rows, monitor);
    const found = judgedBy(
      [...evidence, ...metricEvidence(monitor.metrics, metrics)],
      spec.performance?.crossings ?? 1,
    );
    const all = [...found.evidence, ...expected(rows, profile, decisionThreshold)];
    return { ...labelled, crossed: found.crossed, evidence: all, slices, metrics };
  }
  const rules = spec.concept;
  if (!rules) return { ...labelled, ...NO_EVIDENCE };
  const before = await readDetectors(transaction, monitor.name, version, rules.detectors);
  const { states, ...found } = conceptEvidence(rows, before, rules, profile.task, decisionThreshold);
  await saveDetectors(transaction, monitor.name, version, rules.detectors, states);
  return { ...labelled, ...found };
}

/** Requests in groups of the features that they were served with. */
async function findSlices(
  transaction: Transaction,
  rows: readonly LabelledScore[],
  { spec }: WatchedMonitor,
  { task }: ReferenceProfile,
): Promise<SliceGroup[]> {
  const { slices = [], decisionThreshold } = spec;
  if (slices.length === 0) return [];
  const columns = await readServedFeatures(
    transaction,
    rows.map((row) => row.predictionId),
    slices.map((slice) => slice.feature),
  );
  return labelledGroups(slices, rows, columns, task, decisionThreshold);
}

/** What the labelled requests were worth: features and records are looked up only where an expression reads them. */
async function findMetrics(
  transaction: Transaction,
  rows: readonly LabelledScore[],
  { metrics, source }: WatchedMonitor,
): Promise<MetricResult[]> {
  if (metrics.length === 0) return [];
  const ids = rows.map((row) => row.predictionId);
  const names = [...new Set(metrics.flatMap((metric) => metric.features))];
  const columns = await readServedFeatures(transaction, ids, names);
  const readsRecords = metrics.some((metric) => metric.record.length > 0);
  const records = readsRecords ? await readLabelFields(transaction, source.id, ids) : undefined;
  function* each() {
    for (const [row, { predictionId, label, score, output, answeredBy: version }] of rows.entries()) {
      const served = names.map((name, column) => [name, columns[column]?.[row] ?? Number.NaN] as const);
      const features = Object.fromEntries(served.filter(([, value]) => !Number.isNaN(value)));
      yield { prediction: { output, score, version }, label, features, record: records?.get(predictionId) ?? {} };
    }
  }
  return businessMetrics(metrics, each());
}

/** The window is counted while it is read; only a reference that moves needs its rows, for the sketch that is kept of it. */
async function findDrift(
  transaction: Transaction,
  monitor: WatchedMonitor,
  profile: ReferenceProfile,
  range: PredictionRange,
): Promise<Omit<FoundEvidence, 'lastPredictionId'>> {
  const { drift, minimumSample, decisionThreshold } = monitor.spec;
  const cadence = { windowMicros: windowLengthOf(monitor.spec), minimumSample };
  // A number has no positive answers.
  const answers = new SlicedAnswers(profile.task === 'binary' ? (monitor.spec.slices ?? []) : [], decisionThreshold);
  const rules = liveRulesOf(monitor.spec);
  if (!rules) {
    const window = driftWindow(profile, drift);
    await readScoredPredictions(transaction, { ...range, features: true }, (columns) => {
      window.add(columns);
      answers.add(columns);
    });
    if (window.rows === 0) return { rows: 0, ...NO_EVIDENCE };
    return { rows: window.rows, slices: answers.groups(), ...driftEvidence(window, profile, drift, cadence) };
  }
  const parts: ScoredColumns[] = [];
  await readScoredPredictions(transaction, { ...range, features: true }, (columns) => {
    parts.push(columns);
    answers.add(columns);
  });
  const rows = parts.flatMap(rowsOf);
  if (rows.length === 0) return { rows: 0, ...NO_EVIDENCE };
  const span = { startMicros: range.fromMicros, endMicros: range.toMicros };
  const against = await findDriftReference(transaction, monitor, rules, range.version, profile, span, rows);
  const found = { rows: rows.length, reference: against.reference, slices: answers.groups() };
  if (!against.profile) return { ...found, ...NO_EVIDENCE };
  const window = driftWindow(against.profile, drift);
  for (const columns of parts) window.add(columns);
  return { ...found, ...driftEvidence(window, against.profile, drift, cadence) };
}

/** CBPE takes scores alone, of a sample of large windows; a loss model takes every row with its features. */
async function readForEstimate(
  transaction: Transaction,
  { task }: ReferenceProfile,
  range: PredictionRange,
): Promise<{ readonly rows: number; readonly scored: readonly ScoredRow[] }> {
  if (task === 'regression') {
    const scored: ScoredRow[] = [];
    await readScoredPredictions(transaction, { ...range, features: true }, (columns) => {
      for (const row of rowsOf(columns)) scored.push(row);
    });
    return { rows: scored.length, scored };
  }
  const sample = new RowSample(1, MOST_VALUES);
  await readScoredPredictions(transaction, { ...range, features: false }, ({ asOf, scores }) => {
    for (const [row, score] of scores.entries()) sample.add(asOf[row] ?? 0, score, [score]);
  });
  return { rows: sample.rows, scored: sample.valuesOf(0).map((score) => ({ names: [], features: [], score })) };
}

/** Beside what was measured: what the scores had promised, and by how many standard errors labels contradict it. */
function expected(rows: readonly LabelledRow[], profile: ReferenceProfile, threshold: number): Evidence[] {
  if (!isCalibratable(profile)) return [];
  const { expected: brier, z } = expectationOf(rows, profile, threshold);
  const reported = { subject: 'prediction', threshold: 0, crossed: false };
  return [
    { ...reported, statistic: 'expected_brier', value: brier, reference: Number.NaN },
    { ...reported, statistic: 'contradiction_z', value: z, reference: 0 },
  ];
}
