// Detectors on the stream of errors: label by label, in the order in which truths happened.
import type { Monitor } from '@headrace/definitions';
import {
  Adwin,
  Ddm,
  Eddm,
  Kswin,
  PageHinkley,
  type AdwinState,
  type DdmState,
  type Detector,
  type EddmState,
  type KswinState,
  type PageHinkleyState,
} from '@headrace/statistics';
import { judged, type Evidence, type JudgedEvidence } from './evidence';
import type { LabelledRow } from './performance-evidence';

export type ConceptRules = NonNullable<Monitor['spec']['concept']>;
export type ErrorDetector = ConceptRules['detectors'][number];

/** What a detector keeps between windows: plain data. */
export type DetectorState = AdwinState | DdmState | EddmState | KswinState | PageHinkleyState;

export interface ConceptEvidence extends JudgedEvidence {
  /** By detector, after the window. */
  readonly states: ReadonlyMap<string, DetectorState>;
}

/**
 * Feeds the errors of one window, in the order of the rows, to detectors that go on where they stood. The value of each is how
 * often it found a drift in the window; one crosses. Those that see 0 and 1, or values up to 1, cannot see a regression's
 * errors: their value is NaN. Also reports the mean error as `error`.
 */
export function conceptEvidence(
  rows: readonly LabelledRow[],
  before: ReadonlyMap<string, DetectorState>,
  rules: ConceptRules,
  task: 'binary' | 'regression',
  decisionThreshold: number,
): ConceptEvidence {
  const states = new Map<string, DetectorState>();
  const losses = rows.map(({ label, score }) => (task === 'binary' ? (label - score) ** 2 : Math.abs(label - score)));
  const wrong = rows.map(({ label, score }) => (score >= decisionThreshold === (label === 1) ? 0 : 1));
  const found = rules.detectors.map((declared): Evidence => {
    const detector = detectorOf(declared, before.get(declared.detector));
    states.set(declared.detector, detector.state);
    const isBlind = task === 'regression' && ONLY_BINARY.has(declared.detector);
    const stream = OF_ANSWERS.has(declared.detector) ? wrong : losses;
    let drifts = 0;
    if (!isBlind) for (const value of stream) if (detector.update(value) === 'drift') drifts += 1;
    return {
      subject: 'error',
      statistic: declared.detector,
      value: isBlind ? Number.NaN : drifts,
      threshold: 1,
      reference: 0,
      crossed: drifts > 0,
    };
  });
  const mean = losses.reduce((sum, loss) => sum + loss, 0) / losses.length;
  const reported = { subject: 'error', statistic: 'mean', value: mean, threshold: 0, reference: 0, crossed: false };
  const { evidence, crossed } = judged(found, rules.crossings);
  return { evidence: [...evidence, reported], crossed, states };
}

/** Detectors of wrong answers; the others are given the loss of each row. */
const OF_ANSWERS: ReadonlySet<string> = new Set(['ddm', 'eddm']);
const ONLY_BINARY: ReadonlySet<string> = new Set(['ddm', 'eddm', 'adwin']);

function detectorOf(declared: ErrorDetector, state: DetectorState | undefined): Detector<DetectorState> {
  // What was kept is of the same detector: it is found by its name and declaration.
  switch (declared.detector) {
    case 'ddm':
      return new Ddm({ driftThreshold: declared.deviations }, state as DdmState | undefined);
    case 'eddm':
      return new Eddm({ beta: declared.beta, alpha: (1 + declared.beta) / 2 }, state as EddmState | undefined);
    case 'adwin':
      return new Adwin({ delta: declared.delta }, state as AdwinState | undefined);
    case 'page_hinkley':
      return new PageHinkley(
        { threshold: declared.threshold, delta: declared.delta, direction: 'up' },
        state as PageHinkleyState | undefined,
      );
    case 'kswin':
      return new Kswin({ alpha: declared.alpha }, state as KswinState | undefined);
  }
}
