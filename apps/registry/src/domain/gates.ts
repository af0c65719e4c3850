// Gates: what a version must reach before it may serve.
import type { Estimate } from '@headrace/contracts/proto/common/v1/common';
import type { ModelTrained } from '@headrace/contracts/proto/training/v1/training_events';
import type { Model } from '@headrace/definitions';

export type Gate = Model['spec']['gates'][number];

export interface GateEvaluation {
  readonly name: string;
  /** The declared criterion in words, such as "auc >= 0.7". */
  readonly criterion: string;
  /** Undefined: the metric is absent. */
  readonly measured: number | undefined;
  readonly passed: boolean;
  readonly waived: boolean;
  readonly message: string;
}

/** What gates may name, by name. A number without an interval is its own low and high. */
export type Measurements = ReadonlyMap<string, Estimate>;

export function measurementsOf(trained: ModelTrained): Measurements {
  const exact = (value: number): Estimate => ({ value, low: value, high: value });
  const found = new Map(Object.entries(trained.metrics));
  if (trained.improvement) found.set('improvement', trained.improvement);
  if (trained.modelArtifact) found.set('model_size_bytes', exact(trained.modelArtifact.sizeBytes));
  found.set('parity', exact(trained.parityMaxAbsDifference));
  found.set('training_rows', exact(trained.trainingRows));
  found.set('validation_rows', exact(trained.validationRows));
  return found;
}

/**
 * Gates by what training measured. Those that ask for a replay are not passed before it: they wait for it when all others
 * passed; a version that is refused anyway is not replayed.
 */
export function evaluateGates(gates: readonly Gate[], measurements: Measurements): GateEvaluation[] {
  const found = gates.map((gate) => (gate.replay ? undefined : evaluateGate(gate, measurements.get(gate.metric))));
  const isRefused = found.some((evaluation) => evaluation?.passed === false);
  return gates.map((gate, place) => found[place] ?? notReplayed(gate, isRefused));
}

/** Gates that the version waits for. */
export function waitingFor(gates: readonly Gate[], evaluations: readonly GateEvaluation[]): Gate[] {
  const byMeasurement = evaluations.filter(({ name }) => !gates.some((gate) => gate.name === name && gate.replay));
  return byMeasurement.every(({ passed }) => passed) ? gates.filter(({ replay }) => replay !== undefined) : [];
}

function notReplayed(gate: Gate, isRefused: boolean): GateEvaluation {
  const message = isRefused ? 'not replayed: another gate failed' : 'waits for labelled requests to replay';
  return { name: gate.name, criterion: criterionOf(gate), measured: undefined, passed: false, waived: false, message };
}

/** A gate by its replay; `measured` undefined: it could not be told, and why. */
export function evaluateReplay(gate: Gate, measured: Estimate | undefined, reason: string): GateEvaluation {
  if (measured) return evaluateGate(gate, measured);
  const passed = gate.replay?.whenInconclusive === 'pass';
  const message = `inconclusive: ${reason}${passed ? '; the gate lets that pass' : ''}`;
  return { name: gate.name, criterion: criterionOf(gate), measured: undefined, passed, waived: false, message };
}

function evaluateGate(gate: Gate, estimate: Estimate | undefined): GateEvaluation {
  const base = { name: gate.name, criterion: criterionOf(gate), waived: false };
  if (!estimate) {
    const message = gate.passWhenAbsent
      ? `${gate.metric} is absent; the gate lets that pass`
      : `${gate.metric} is absent: training did not report it`;
    return { ...base, measured: undefined, passed: gate.passWhenAbsent, message };
  }
  const measured = estimate[gate.bound];
  if (!Number.isFinite(measured)) {
    return { ...base, measured, passed: false, message: `${gate.metric} is ${measured}, which is no measurement` };
  }
  // Written so that it fails when a comparison cannot be made.
  const highEnough = gate.min === undefined || measured >= gate.min;
  const lowEnough = gate.max === undefined || measured <= gate.max;
  return {
    ...base,
    measured,
    passed: highEnough && lowEnough,
    message: describe(gate, estimate, highEnough, lowEnough),
  };
}

const BOUND_WORDS = { value: '', low: 'lower bound of ', high: 'upper bound of ' } as const;

export function criterionOf(gate: Gate): string {
  const replayed = gate.replay ? ` on requests of ${gate.replay.endpoint} of the last ${gate.replay.since}` : '';
  const subject = `${BOUND_WORDS[gate.bound]}${gate.metric}${replayed}`;
  if (gate.min !== undefined && gate.max !== undefined) return `${gate.min} <= ${subject} <= ${gate.max}`;
  return gate.min === undefined ? `${subject} <= ${gate.max ?? ''}` : `${subject} >= ${gate.min}`;
}

function describe(gate: Gate, estimate: Estimate, highEnough: boolean, lowEnough: boolean): string {
  const { value, low, high } = estimate;
  const interval = low === high ? round(value) : `${round(value)} (${round(low)} to ${round(high)})`;
  const measured = `${gate.metric} ${interval}`;
  if (!highEnough) return `${measured}: ${BOUND_WORDS[gate.bound]}at least ${gate.min ?? ''} is needed`;
  if (!lowEnough) return `${measured}: ${BOUND_WORDS[gate.bound]}at most ${gate.max ?? ''} is allowed`;
  return measured;
}

function round(value: number): string {
  return String(Number(value.toPrecision(5)));
}

/** All passed or waived. A model without gates lets every version pass. */
export function allPassed(evaluations: readonly GateEvaluation[]): boolean {
  return evaluations.every((evaluation) => evaluation.passed || evaluation.waived);
}

/** Marks the failed ones as waived. */
export function waive(evaluations: readonly GateEvaluation[]): { evaluations: GateEvaluation[]; waived: string[] } {
  const waived = evaluations.filter((evaluation) => !evaluation.passed && !evaluation.waived).map(({ name }) => name);
  return {
    waived,
    evaluations: evaluations.map((found) => (waived.includes(found.name) ? { ...found, waived: true } : found)),
  };
}
