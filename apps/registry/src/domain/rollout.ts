// A rollout: a candidate next to the champion, until one of them is left. A state machine whose state is a row.
import type { Stage, Strategy } from './stages';

export const rolloutStates = ['running', 'promoted', 'rolled_back', 'aborted'] as const;
export type RolloutState = (typeof rolloutStates)[number];

/** What can happen to a rollout. */
export type Signal =
  | 'verdict-promote'
  | 'verdict-roll-back'
  /** HOLD or INCONCLUSIVE. */
  | 'verdict-none'
  | 'load-failed'
  /** Somebody looks whether the pause of the step is over. */
  | 'look'
  | 'operator-pause'
  | 'operator-resume'
  | 'operator-promote'
  | 'operator-abort';

/**
 * pass: the step has what it waited for, and ends when its pause is over. note: the same, yet nothing follows now.
 * end-step: to the next step or to promotion, if the pause is over. keep: nothing changes. refuse: the caller is told why.
 */
export type Reaction =
  'pass' | 'note' | 'end-step' | 'promote' | 'roll-back' | 'abort' | 'pause' | 'resume' | 'keep' | 'refuse';

/**
 * judging: the step waits for a promoting verdict. passed: it has it and lasts until its pause is over. watching: only a
 * person ends it well. paused: it stays where it is.
 */
export type Phase = 'judging' | 'passed' | 'watching' | 'paused';

const ALWAYS = {
  'verdict-roll-back': 'roll-back',
  'verdict-none': 'keep',
  'load-failed': 'roll-back',
  'operator-promote': 'promote',
  'operator-abort': 'abort',
} as const;
const RUNNING = { ...ALWAYS, 'operator-pause': 'pause', 'operator-resume': 'refuse' } as const;

/** A pause holds a candidate where it is; it never protects one that was found worse, fails or cannot be loaded. */
export const reactions: Readonly<Record<Phase, Readonly<Record<Signal, Reaction>>>> = {
  judging: { ...RUNNING, 'verdict-promote': 'pass', look: 'keep' },
  passed: { ...RUNNING, 'verdict-promote': 'keep', look: 'end-step' },
  watching: { ...RUNNING, 'verdict-promote': 'keep', look: 'keep' },
  paused: {
    ...ALWAYS,
    'verdict-promote': 'note',
    look: 'keep',
    'operator-pause': 'refuse',
    'operator-resume': 'resume',
  },
};

export interface RunningRollout {
  readonly rolloutId: string;
  readonly candidate: number;
  readonly champion: number;
  readonly strategy: Strategy;
  /** As declared when the rollout began. */
  readonly stages: readonly Stage[];
  /** ab: what keeps its version; else empty. */
  readonly unit: string;
  readonly step: number;
  /** Wall clock. */
  readonly stepStartedAtMicros: number;
  /** The step has what it waited for. */
  readonly passed: boolean;
  /** A person resumed it after that. */
  readonly confirmed: boolean;
  readonly paused: boolean;
  readonly byWaiver: boolean;
  readonly startedAtMicros: number;
  /** Generation of the endpoint that began it. */
  readonly sinceGeneration: number;
}

export type Next =
  | { readonly kind: 'step' | 'paused' | 'resumed'; readonly rollout: RunningRollout }
  /** Remembered; nobody outside sees a difference. */
  | { readonly kind: 'noted'; readonly rollout: RunningRollout }
  | { readonly kind: 'promoted' | 'rolled_back' | 'aborted' }
  | { readonly kind: 'kept' }
  | { readonly kind: 'refused'; readonly message: string };

export function phaseOf(rollout: RunningRollout): Phase {
  if (rollout.paused) return 'paused';
  if (rollout.passed) return 'passed';
  return rollout.stages[rollout.step]?.ends === 'person' ? 'watching' : 'judging';
}

export function react(rollout: RunningRollout, signal: Signal, nowMicros: number): Next {
  const reaction = reactions[phaseOf(rollout)][signal];
  switch (reaction) {
    case 'pass': {
      const passed = { ...rollout, passed: true };
      const next = endStep(passed, nowMicros);
      return next.kind === 'kept' ? { kind: 'noted', rollout: passed } : next;
    }
    case 'note': {
      const watched = rollout.passed || rollout.stages[rollout.step]?.ends === 'person';
      return watched ? { kind: 'kept' } : { kind: 'noted', rollout: { ...rollout, passed: true } };
    }
    case 'end-step':
      return endStep(rollout, nowMicros);
    case 'promote':
      return { kind: 'promoted' };
    case 'roll-back':
      return { kind: 'rolled_back' };
    case 'abort':
      return { kind: 'aborted' };
    case 'pause':
      return { kind: 'paused', rollout: { ...rollout, paused: true } };
    case 'resume':
      return { kind: 'resumed', rollout: { ...rollout, paused: false, confirmed: rollout.passed } };
    case 'keep':
      return { kind: 'kept' };
    case 'refuse':
      return {
        kind: 'refused',
        message: rollout.paused ? 'the rollout is paused already' : 'the rollout is not paused',
      };
  }
}

/** Percent of requests that the candidate answers now. */
export function candidateWeight(rollout: RunningRollout): number {
  return rollout.stages[rollout.step]?.weight ?? 0;
}

/** What a rollout looks like in its step `index`, from now on. */
export function enterStep<R extends Pick<RunningRollout, 'stages'>>(
  rollout: R,
  index: number,
  nowMicros: number,
): R & Pick<RunningRollout, 'step' | 'stepStartedAtMicros' | 'passed' | 'confirmed'> {
  // A step that ends by time alone waits for nothing else.
  const passed = rollout.stages[index]?.ends === 'time';
  return { ...rollout, step: index, stepStartedAtMicros: nowMicros, passed, confirmed: false };
}

function endStep(rollout: RunningRollout, nowMicros: number): Next {
  const stage = rollout.stages[rollout.step];
  if (stage && nowMicros < rollout.stepStartedAtMicros + stage.atLeastMicros) return { kind: 'kept' };
  if (stage?.confirm && !rollout.confirmed) return { kind: 'paused', rollout: { ...rollout, paused: true } };
  const next = rollout.step + 1;
  if (next >= rollout.stages.length) return { kind: 'promoted' };
  return { kind: 'step', rollout: enterStep(rollout, next, nowMicros) };
}
