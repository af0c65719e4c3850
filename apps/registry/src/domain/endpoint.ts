// One endpoint: which versions answer it, and what happens when a version is offered or a rollout hears a signal.
import { enterStep, react, type RunningRollout, type Signal } from './rollout';
import { stagesOf, type RolloutSpec } from './stages';

export interface OfferedVersion {
  readonly version: number;
  readonly byWaiver: boolean;
}

export interface EndpointState {
  readonly generation: number;
  /** 0: nothing was deployed yet. */
  readonly champion: number;
  readonly rollout: RunningRollout | undefined;
  /** Rolls out when the rollout in progress has ended. */
  readonly waiting: OfferedVersion | undefined;
}

export const emptyEndpoint: EndpointState = { generation: 0, champion: 0, rollout: undefined, waiting: undefined };

export interface RolloutPolicy extends RolloutSpec {
  /** ab: what keeps its version. */
  readonly unit?: string | undefined;
}

export type Change =
  | 'deployed'
  | 'canary_started'
  | 'canary_advanced'
  | 'rollout_started'
  | 'rollout_advanced'
  | 'promoted'
  | 'rolled_back'
  | 'paused'
  | 'resumed'
  | 'aborted'
  | 'reconfigured';

export interface Changed {
  readonly kind: 'changed';
  readonly change: Change;
  readonly state: EndpointState;
  /** The version that the change is about, and the champion before it. */
  readonly version: number;
  readonly previousVersion: number;
  /** The rollout that ended by it. */
  readonly ended: RunningRollout | undefined;
}

export type OfferDecision =
  | Changed
  /** It waits for the end of the rollout; `superseded` waited before it. */
  | { readonly kind: 'waits'; readonly state: EndpointState; readonly superseded: OfferedVersion | undefined }
  /** A newer one waits already. */
  | { readonly kind: 'superseded'; readonly by: number }
  /** It is deployed, rolling out or waiting already. */
  | { readonly kind: 'known' };

/** A validated version asks to be rolled out. */
export function offer(
  state: EndpointState,
  offered: OfferedVersion,
  policy: RolloutPolicy,
  begin: { readonly rolloutId: string; readonly nowMicros: number },
): OfferDecision {
  const { version } = offered;
  if (version === state.champion || version === state.rollout?.candidate || version === state.waiting?.version) {
    return { kind: 'known' };
  }
  if (state.rollout) {
    if (state.waiting && state.waiting.version > version) return { kind: 'superseded', by: state.waiting.version };
    return { kind: 'waits', state: { ...state, waiting: offered }, superseded: state.waiting };
  }
  const generation = state.generation + 1;
  const previousVersion = state.champion;
  const stages = stagesOf(policy);
  if (state.champion === 0 || policy.strategy === 'direct' || !stages) {
    const deployed: EndpointState = { ...state, generation, champion: version };
    return { kind: 'changed', change: 'deployed', state: deployed, version, previousVersion, ended: undefined };
  }
  const begun = {
    rolloutId: begin.rolloutId,
    candidate: version,
    champion: state.champion,
    strategy: policy.strategy,
    stages,
    unit: policy.unit ?? '',
    paused: false,
    byWaiver: offered.byWaiver,
    startedAtMicros: begin.nowMicros,
    sinceGeneration: generation,
  };
  const started: EndpointState = { ...state, generation, rollout: enterStep(begun, 0, begin.nowMicros) };
  const change = policy.strategy === 'canary' ? 'canary_started' : 'rollout_started';
  return { kind: 'changed', change, state: started, version, previousVersion, ended: undefined };
}

export type SignalDecision =
  | Changed
  | { readonly kind: 'kept' }
  /** Remembered in the state; nothing is deployed anew. */
  | { readonly kind: 'noted'; readonly rollout: RunningRollout }
  | { readonly kind: 'refused'; readonly message: string }
  /** No rollout is in progress. */
  | { readonly kind: 'idle' };

export function signal(state: EndpointState, heard: Signal, nowMicros: number): SignalDecision {
  const { rollout } = state;
  if (!rollout) return { kind: 'idle' };
  const next = react(rollout, heard, nowMicros);
  if (next.kind === 'kept' || next.kind === 'noted' || next.kind === 'refused') return next;
  const generation = state.generation + 1;
  const changed = { kind: 'changed', version: rollout.candidate, previousVersion: state.champion } as const;
  switch (next.kind) {
    case 'step':
      return {
        ...changed,
        change: rollout.strategy === 'canary' ? 'canary_advanced' : 'rollout_advanced',
        state: { ...state, generation, rollout: next.rollout },
        ended: undefined,
      };
    case 'paused':
    case 'resumed':
      return {
        ...changed,
        change: next.kind,
        state: { ...state, generation, rollout: next.rollout },
        ended: undefined,
      };
    case 'promoted': {
      const promoted = { ...state, generation, champion: rollout.candidate, rollout: undefined };
      return { ...changed, change: 'promoted', state: promoted, ended: rollout };
    }
    case 'rolled_back':
    case 'aborted':
      return { ...changed, change: next.kind, state: { ...state, generation, rollout: undefined }, ended: rollout };
  }
}

/** An analysis speaks of the rollout and the step in progress; anything else is too late to matter. */
export function isCurrent(
  state: EndpointState,
  analysis: { readonly rolloutId: string; readonly step: number },
): boolean {
  return state.rollout?.rolloutId === analysis.rolloutId && state.rollout.step === analysis.step;
}

/** A gateway could not load the candidate of the rollout in progress. */
export function concernsCandidate(
  state: EndpointState,
  failure: { readonly version: number; readonly generation: number },
): boolean {
  const { rollout } = state;
  return rollout?.candidate === failure.version && failure.generation >= rollout.sinceGeneration;
}
