// What one window says, by its kind: reads its rows and holds them against the champion's reference profile.
import { parseDuration, type Window } from '@headrace/event-time';
import type { Transaction } from '@headrace/messaging';
import { readDetectors, saveDetectors } from '../database/error-detectors.repository';
import { readLabelledScores } from '../database/outcomes.repository';
import { readScoredPredictions } from '../database/predictions.repository';
import type { ClosedWindow } from '../database/windows.repository';
import { conceptEvidence } from '../domain/concept-evidence';
import { canEstimate, estimateEvidence, expectationOf, isCalibratable } from '../domain/estimate-evidence';
import { driftEvidence, type Evidence, type JudgedEvidence } from '../domain/evidence';
import { isEnough, liveRulesOf, type WindowReference } from '../domain/live-reference';
import { performanceEvidence, type LabelledRow } from '../domain/performance-evidence';
import type { ReferenceProfile } from '../domain/reference-profile';
import { closesByPredictions, type SignalKind } from '../domain/retraining-policy';
import type { WatchedMonitor } from '../watched-monitors';
import { findDriftReference } from './drift-reference';

const NO_EVIDENCE: JudgedEvidence = { evidence: [], crossed: false };

/** What the champion is compared with. */
export interface Reference {
  readonly version: number;
  readonly profile: ReferenceProfile;
}

interface FoundEvidence extends JudgedEvidence {
  /** In the order of their time. */
  readonly rows: readonly { readonly predictionId: string }[];
  /** Absent: the training profile. */
  readonly reference?: WindowReference;
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
  window: Window,
): Promise<ClosedWindow> {
  const found = await findEvidence(transaction, monitor, kind, reference, window);
  const { rows, evidence, crossed, falseAlarms } = found;
  const comparable = found.reference === undefined || isEnough(found.reference);
  const judged = rows.length >= monitor.spec.minimumSample && comparable;
  return {
    monitor: monitor.name,
    kind,
    version: reference.version,
    startMicros: window.startMicros,
    endMicros: window.endMicros,
    judged,
    crossed: judged && crossed,
    predictions: rows.length,
    labels: closesByPredictions(kind) ? 0 : rows.length,
    evidence,
    lastPredictionId: rows.at(-1)?.predictionId,
    falseAlarms,
    reference: found.reference,
    revisions: 0,
  };
}

async function findEvidence(
  transaction: Transaction,
  monitor: WatchedMonitor,
  kind: SignalKind,
  { version, profile }: Reference,
  { startMicros, endMicros }: Window,
): Promise<FoundEvidence> {
  const { endpoint, source, spec } = monitor;
  const { minimumSample, decisionThreshold } = spec;
  if (kind === 'drift' || kind === 'estimate') {
    const rows = await readScoredPredictions(transaction, endpoint, version, startMicros, endMicros);
    if (rows.length === 0) return { rows, ...NO_EVIDENCE };
    if (kind === 'drift') {
      const cadence = { windowMicros: parseDuration(spec.window), minimumSample };
      const rules = liveRulesOf(spec);
      if (!rules) return { rows, ...driftEvidence(rows, profile, spec.drift, cadence) };
      const window = { startMicros, endMicros };
      const against = await findDriftReference(transaction, monitor, rules, version, profile, window, rows);
      const found = against.profile ? driftEvidence(rows, against.profile, spec.drift, cadence) : NO_EVIDENCE;
      return { rows, ...found, reference: against.reference };
    }
    return { rows, ...estimateEvidence(rows, profile, spec.estimate, decisionThreshold) };
  }
  const judged = { endpoint, source: source.id };
  const rows = await readLabelledScores(transaction, judged, version, startMicros, endMicros);
  if (rows.length === 0) return { rows, ...NO_EVIDENCE };
  if (kind === 'performance') {
    const { evidence, crossed } = performanceEvidence(rows, profile, spec.performance, decisionThreshold);
    return { rows, crossed, evidence: [...evidence, ...expected(rows, profile, decisionThreshold)] };
  }
  const rules = spec.concept;
  if (!rules) return { rows, ...NO_EVIDENCE };
  const before = await readDetectors(transaction, monitor.name, version, rules.detectors);
  const { states, ...found } = conceptEvidence(rows, before, rules, profile.task, decisionThreshold);
  await saveDetectors(transaction, monitor.name, version, rules.detectors, states);
  return { rows, ...found };
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
