// A rollout: a candidate next to the champion, until one of them is left.

export const rolloutStates = ['running', 'promoted', 'rolled_back', 'aborted'] as const;
export type RolloutState = (typeof rolloutStates)[number];

/** What can happen to a rollout. */
export type Signal =
  | 'verdict-promote'
  | 'verdict-roll-back'
  /** HOLD or INCONCLUSIVE. */
  | 'verdict-none'
  | 'load-failed'
  | 'operator-pause'
  | 'operator-resume'
  | 'operator-promote'
  | 'operator-abort';

/** advance: to the next step, or promote after the last one. keep: nothing changes. refuse: the caller is told why not. */
export type Reaction = 'advance' | 'promote' | 'roll-back' | 'abort' | 'pause' | 'resume' | 'keep' | 'refuse';

export type Phase = 'running' | 'paused';

/** A pause holds a candidate where it is; it never protects one that was found worse or cannot be loaded. */
export const reactions: Readonly<Record<Phase, Readonly<Record<Signal, Reaction>>>> = {
  running: {
    'verdict-promote': 'advance',
    'verdict-roll-back': 'roll-back',
    'verdict-none': 'keep',
    'load-failed': 'roll-back',
    'operator-pause': 'pause',
    'operator-resume': 'refuse',
    'operator-promote': 'promote',
    'operator-abort': 'abort',
  },
  paused: {
    'verdict-promote': 'keep',
    'verdict-roll-back': 'roll-back',
    'verdict-none': 'keep',
    'load-failed': 'roll-back',
    'operator-pause': 'refuse',
    'operator-resume': 'resume',
    'operator-promote': 'promote',
    'operator-abort': 'abort',
  },
};

export interface RunningRollout {
  readonly rolloutId: string;
  readonly candidate: number;
  readonly champion: number;
  /** Share of requests that the candidate answers in each step, percent. As declared when the rollout began. */
  readonly weights: readonly number[];
  readonly step: number;
  readonly paused: boolean;
  readonly byWaiver: boolean;
  readonly startedAtMicros: number;
  /** Generation of the endpoint that began it. */
  readonly sinceGeneration: number;
}

export type Next =
  | { readonly kind: 'step'; readonly rollout: RunningRollout }
  | { readonly kind: 'paused' | 'resumed'; readonly rollout: RunningRollout }
  | { readonly kind: 'promoted' | 'rolled_back' | 'aborted' }
  | { readonly kind: 'kept' }
  | { readonly kind: 'refused'; readonly message: string };

export function react(rollout: RunningRollout, signal: Signal): Next {
  const reaction = reactions[rollout.paused ? 'paused' : 'running'][signal];
  switch (reaction) {
    case 'advance': {
      const step = rollout.step + 1;
      return step < rollout.weights.length ? { kind: 'step', rollout: { ...rollout, step } } : { kind: 'promoted' };
    }
    case 'promote':
      return { kind: 'promoted' };
    case 'roll-back':
      return { kind: 'rolled_back' };
    case 'abort':
      return { kind: 'aborted' };
    case 'pause':
      return { kind: 'paused', rollout: { ...rollout, paused: true } };
    case 'resume':
      return { kind: 'resumed', rollout: { ...rollout, paused: false } };
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
  return rollout.weights[rollout.step] ?? 0;
}
