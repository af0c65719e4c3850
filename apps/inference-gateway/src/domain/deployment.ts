// What the registry wants to run at one endpoint, checked once so that nothing behind has to.
import type { Artifact } from '@headrace/contracts/proto/common/v1/common';
import {
  GuardrailAction,
  PersonalTreatment,
  VersionRole,
  type DeploymentChanged,
  type Guardrails,
} from '@headrace/contracts/proto/registry/v1/registry_events';
import type { ModelSignature } from '@headrace/contracts/proto/training/v1/training_events';
import type { GuardrailAction as DeclaredAction, GuardrailRules } from './guardrails';

/** What the log holds of a personal value: nothing, or a keyed hash. */
export type Treatment = 'omit' | 'pseudonym';

/** A shadow's answers are compared and never returned; a fallback answers when a guardrail wants it to. */
export type Role = 'champion' | 'canary' | 'shadow' | 'fallback';

const ROLE_OF: Readonly<Partial<Record<VersionRole, Role>>> = {
  [VersionRole.CHAMPION]: 'champion',
  [VersionRole.CANARY]: 'canary',
  [VersionRole.SHADOW]: 'shadow',
  [VersionRole.FALLBACK]: 'fallback',
};

export interface WantedVersion {
  readonly number: number;
  readonly role: Role;
  /** Percent of the requests that it answers. */
  readonly weight: number;
  readonly artifact: Artifact;
  /** What it was validated on; undefined: not known. */
  readonly profile: Artifact | undefined;
  readonly signature: ModelSignature;
}

export interface Deployment {
  readonly endpoint: string;
  /** Rises with every change of the endpoint. */
  readonly generation: number;
  readonly model: string;
  readonly champion: WantedVersion;
  /** Champion first. */
  readonly versions: readonly [WantedVersion, ...WantedVersion[]];
  /** Empty without a rollout. */
  readonly rolloutId: string;
  /** Every version scores every prediction. */
  readonly paired: boolean;
  /** A/B: the request field or entity whose value, with the salt, decides which version answers. */
  readonly sticky: { readonly unit: string; readonly salt: string } | undefined;
  /** Field of the request that joins labels; empty when there is none. */
  readonly joinKey: string;
  /** Undefined: the endpoint declares none. */
  readonly fallback: number | undefined;
  readonly featureTimeoutMs: number;
  readonly logSampleRate: number;
  /** Request fields and entities that the log must not hold as they came. */
  readonly personal: ReadonlyMap<string, Treatment>;
  /** Undefined: the endpoint declares none. */
  readonly guardrails: (GuardrailRules & { readonly fallbackVersion: number }) | undefined;
  /** The DeploymentChanged event: cause of what is answered because of it. */
  readonly cause: { readonly eventId: string; readonly correlationId: string; readonly traceparent?: string };
}

export type DeploymentReading =
  | { readonly kind: 'deployment'; readonly deployment: Deployment }
  | { readonly kind: 'unusable'; readonly code: string; readonly message: string };

export function readDeployment(changed: DeploymentChanged, cause: Deployment['cause']): DeploymentReading {
  const versions: WantedVersion[] = [];
  for (const { version, role: given, weightPercent, modelArtifact, profileArtifact, signature } of changed.versions) {
    if (!modelArtifact || !signature || signature.features.length + signature.inputs.length === 0) {
      return unusable('incomplete_version', `version ${version} comes without its artifact or its signature`);
    }
    // Without features it is asked by tensor alone, and no single number of its answer is a score.
    if (signature.features.length > 0 && signature.task !== 'binary' && signature.task !== 'regression') {
      return unusable(
        'unknown_task',
        `version ${version} has the task "${signature.task}": expected binary or regression`,
      );
    }
    const role = ROLE_OF[given];
    if (!role)
      return unusable('unknown_role', `version ${version} has the role ${given}, which this gateway does not know`);
    if ((role === 'shadow' || role === 'fallback') && weightPercent !== 0) {
      return unusable('bad_weights', `version ${version} is a ${role} and is asked by nobody: expected a weight of 0`);
    }
    versions.push({
      number: version,
      role,
      weight: weightPercent,
      artifact: modelArtifact,
      profile: profileArtifact,
      signature,
    });
  }
  versions.sort((a, b) => Number(a.role !== 'champion') - Number(b.role !== 'champion'));
  const [champion, ...others] = versions;
  if (champion?.role !== 'champion' || others.some(({ role }) => role === 'champion')) {
    return unusable('no_single_champion', `expected one champion among ${versions.length} versions`);
  }
  const weights = versions.map(({ weight }) => weight);
  if (weights.some((weight) => weight < 0) || weights.reduce((sum, weight) => sum + weight, 0) !== 100) {
    return unusable('bad_weights', `weights ${weights.join(', ')}: expected a sum of 100`);
  }
  const { behaviour, rollout } = changed;
  return {
    kind: 'deployment',
    deployment: {
      endpoint: changed.endpoint,
      generation: changed.generation,
      model: changed.model,
      champion,
      versions: [champion, ...others],
      rolloutId: rollout?.rolloutId ?? '',
      paired: rollout?.paired ?? false,
      sticky: rollout?.assignmentUnit ? { unit: rollout.assignmentUnit, salt: rollout.rolloutId } : undefined,
      joinKey: behaviour?.labelJoinKey ?? '',
      fallback: behaviour?.fallback?.value,
      featureTimeoutMs: (behaviour?.featureTimeoutMicros ?? 0) / 1_000 || DEFAULT_FEATURE_TIMEOUT_MS,
      logSampleRate: behaviour?.logSampleRate ?? 1,
      personal: new Map(
        behaviour?.personal.map(({ name, treatment }) => [
          name,
          treatment === PersonalTreatment.PSEUDONYM ? 'pseudonym' : 'omit',
        ]),
      ),
      guardrails: behaviour?.guardrails && guardrailsOf(behaviour.guardrails),
      cause,
    },
  };
}

const DEFAULT_FEATURE_TIMEOUT_MS = 2_000;

const ACTION_OF: Readonly<Partial<Record<GuardrailAction, DeclaredAction>>> = {
  [GuardrailAction.FLAG]: 'flag',
  [GuardrailAction.FALLBACK_MODEL]: 'fallback-model',
  [GuardrailAction.DEFAULT]: 'default',
  [GuardrailAction.REFUSE]: 'refuse',
};

/** An action that this release does not know is taken for the strictest. */
function guardrailsOf(declared: Guardrails): NonNullable<Deployment['guardrails']> {
  const { outsideProfile, lowConfidence, missingFeatures, fallbackVersion } = declared;
  const known = <G extends { action: GuardrailAction }>(rule: G): Omit<G, 'action'> & { action: DeclaredAction } => ({
    ...rule,
    action: ACTION_OF[rule.action] ?? 'refuse',
  });
  return {
    outsideProfile: outsideProfile && known(outsideProfile),
    lowConfidence: lowConfidence && known(lowConfidence),
    missingFeatures: missingFeatures && known(missingFeatures),
    fallbackVersion,
  };
}

function unusable(code: string, message: string): DeploymentReading {
  return { kind: 'unusable', code, message };
}
