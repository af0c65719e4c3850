// The whole desired state of an endpoint, as gateways read it.
import {
  GuardrailAction,
  PersonalTreatment,
  VersionRole,
  type DeployedVersion,
  type DeploymentChanged,
  type EndpointBehaviour,
  type Guardrails,
} from '@headrace/contracts/proto/registry/v1/registry_events';
import type { ModelTrained } from '@headrace/contracts/proto/training/v1/training_events';
import type { Endpoint } from '@headrace/definitions';
import { parseDuration } from '@headrace/event-time';
import type { EndpointState } from './endpoint';
import { candidateWeight } from './rollout';
import type { Strategy } from './stages';

/** A shadow never answers; a candidate may, if not in its first step. */
const ROLE_OF: Readonly<Record<Strategy, VersionRole>> = {
  canary: VersionRole.CANARY,
  'blue-green': VersionRole.CANARY,
  ab: VersionRole.CANARY,
  shadow: VersionRole.SHADOW,
  'champion-challenger': VersionRole.SHADOW,
};

export interface DefinedEndpoint {
  readonly definition: Endpoint;
  /** Content hash. */
  readonly version: string;
}

/** `trainedAs`: the training of each version in the state, and of the guardrails' fallback. */
export function desiredState(
  endpoint: DefinedEndpoint,
  state: EndpointState,
  trainedAs: (version: number) => ModelTrained,
): DeploymentChanged {
  const { rollout } = state;
  const deployed = (version: number, role: VersionRole, weightPercent: number): DeployedVersion => {
    const { modelArtifact, profileArtifact, signature } = trainedAs(version);
    return { version, role, weightPercent, modelArtifact, profileArtifact, signature };
  };
  const canaryWeight = rollout ? candidateWeight(rollout) : 0;
  const versions = [deployed(state.champion, VersionRole.CHAMPION, 100 - canaryWeight)];
  if (rollout) versions.push(deployed(rollout.candidate, ROLE_OF[rollout.strategy], canaryWeight));
  const fallback = endpoint.definition.spec.guardrails?.fallbackVersion;
  if (fallback !== undefined && !versions.some(({ version }) => version === fallback)) {
    versions.push(deployed(fallback, VersionRole.FALLBACK, 0));
  }
  return {
    endpoint: endpoint.definition.metadata.name,
    generation: state.generation,
    model: endpoint.definition.spec.model,
    versions,
    rollout: rollout && {
      rolloutId: rollout.rolloutId,
      candidateVersion: rollout.candidate,
      championVersion: rollout.champion,
      step: rollout.step,
      paused: rollout.paused,
      byWaiver: rollout.byWaiver,
      paired: true,
      startedAtMicros: rollout.startedAtMicros,
      strategy: rollout.strategy,
      assignmentUnit: rollout.unit,
      stepStartedAtMicros: rollout.stepStartedAtMicros,
    },
    behaviour: behaviourOf(endpoint),
  };
}

export function behaviourOf({ definition, version }: DefinedEndpoint): EndpointBehaviour {
  const { spec } = definition;
  return {
    endpointVersion: version,
    labelJoinKey: spec.joinKey,
    fallback: spec.fallback && { value: spec.fallback.value },
    featureTimeoutMicros: parseDuration(spec.features.timeout),
    logSampleRate: spec.logging.sampleRate,
    guardrails: spec.guardrails && guardrailsOf(spec.guardrails),
    personal: Object.entries(spec.logging.personal).map(([name, treatment]) => ({
      name,
      treatment: TREATMENT_OF[treatment],
    })),
  };
}

const TREATMENT_OF = { omit: PersonalTreatment.OMIT, pseudonym: PersonalTreatment.PSEUDONYM } as const;

const ACTION_OF = {
  flag: GuardrailAction.FLAG,
  'fallback-model': GuardrailAction.FALLBACK_MODEL,
  default: GuardrailAction.DEFAULT,
  refuse: GuardrailAction.REFUSE,
} as const;

function guardrailsOf(declared: NonNullable<Endpoint['spec']['guardrails']>): Guardrails {
  const { outsideProfile, lowConfidence, missingFeatures, fallbackVersion } = declared;
  return {
    outsideProfile: outsideProfile && { ...outsideProfile, action: ACTION_OF[outsideProfile.action] },
    lowConfidence: lowConfidence && { ...lowConfidence, action: ACTION_OF[lowConfidence.action] },
    missingFeatures: missingFeatures && { ...missingFeatures, action: ACTION_OF[missingFeatures.action] },
    fallbackVersion: fallbackVersion ?? 0,
  };
}
