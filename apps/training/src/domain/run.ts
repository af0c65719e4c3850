// One training run: its states, the steps it goes through, and what may follow what.

export const runStates = ['queued', 'requested', 'joining', 'fitting', 'done', 'failed', 'cancelled'] as const;
export type RunState = (typeof runStates)[number];

/** From each state to those that may follow it. */
export const allowedTransitions: Readonly<Record<RunState, readonly RunState[]>> = {
  /** Waits for the run of the same plan that is in progress. */
  queued: ['requested', 'cancelled'],
  /** Waits for dataset versions that are new enough. */
  requested: ['joining', 'failed', 'cancelled'],
  /** TrainingRequested is published; the feature store joins. */
  joining: ['fitting', 'failed', 'cancelled'],
  /** The training set is there; the trainer runs, or is about to. */
  fitting: ['done', 'failed', 'cancelled'],
  done: [],
  failed: [],
  cancelled: [],
};

export function mayFollow(from: RunState, to: RunState): boolean {
  return allowedTransitions[from].includes(to);
}

export function isFinished(state: RunState): boolean {
  return allowedTransitions[state].length === 0;
}

/** At most one run of a plan is in one of these. */
export const activeStates: readonly RunState[] = ['requested', 'joining', 'fitting'];

export const stepNames = ['snapshot', 'join', 'fit', 'register'] as const;
export type StepName = (typeof stepNames)[number];
export type StepState = 'pending' | 'running' | 'done' | 'failed';

/** The step that is under way in a state. */
export const stepOf: Readonly<Partial<Record<RunState, StepName>>> = {
  requested: 'snapshot',
  joining: 'join',
  fitting: 'fit',
};

export const triggers = ['data-volume', 'manual', 'drift', 'performance'] as const;
export type Trigger = (typeof triggers)[number];

/** What a request of a new run says; a request that waits takes in later ones of its kind. */
export interface RunRequest {
  readonly trigger: Trigger;
  readonly reason: string;
  readonly requestedBy: string;
  readonly shuffleLabels: boolean;
  /** Dataset versions should reach this known time, microseconds; 0: whatever there is. */
  readonly decidedAtEventMicros: number;
}

const MAX_REASON = 1_000;

/** The newer request decides what it was for; the reasons of both are kept. */
export function mergeRequests(waiting: RunRequest, newer: RunRequest): RunRequest {
  const isKnown = waiting.reason.split('; ').includes(newer.reason);
  const reason =
    isKnown || newer.reason === '' ? waiting.reason : [waiting.reason, newer.reason].filter(Boolean).join('; ');
  return {
    ...newer,
    reason: reason.length <= MAX_REASON ? reason : `${reason.slice(0, MAX_REASON - 1)}…`,
    decidedAtEventMicros: Math.max(waiting.decidedAtEventMicros, newer.decidedAtEventMicros),
  };
}
