// Which change of an endpoint, and which entries of the audit log, let a version give an answer.
import type { PredictionServed } from '@headrace/contracts/proto/inference/v1/inference_events';
import type {
  AuditEntry,
  EndpointHistoryEntry,
  TracedEvent,
} from '@headrace/contracts/proto/registry/v1/registry_service';

/** Changes that give the version that they name its share of the requests. */
const AS_CHAMPION: ReadonlySet<string> = new Set(['deployed', 'promoted']);
const AS_CANDIDATE: ReadonlySet<string> = new Set([
  'canary_started',
  'canary_advanced',
  'rollout_started',
  'rollout_advanced',
]);

type Answered = Pick<PredictionServed, 'version' | 'assignment' | 'deploymentGeneration' | 'servedAtMicros'>;

/**
 * The newest change, up to the generation that the gateway followed, that let the version answer in its role. A version
 * that a guardrail or the fallback value replaced has none of its own: then the change of that generation.
 */
export function servingChange(
  history: readonly EndpointHistoryEntry[],
  { version, assignment, deploymentGeneration }: Answered,
): EndpointHistoryEntry | undefined {
  const upTo = history.filter(({ change }) => change !== undefined && change.generation <= deploymentGeneration);
  const changes = assignment === 'canary' ? AS_CANDIDATE : AS_CHAMPION;
  const own = upTo.filter(({ change }) => change?.version === version && changes.has(change.change));
  return assignment === 'fallback' || version === 0 ? upTo.at(-1) : (own.at(-1) ?? upTo.at(-1));
}

export interface Approval {
  readonly sequence: number;
  readonly atMicros: number;
  readonly actor: string;
  readonly action: string;
  readonly subject: string;
  readonly detail: Readonly<Record<string, unknown>>;
}

export interface Asked extends Answered {
  readonly endpoint: string;
  readonly model: string;
  /** Of the version; 0 for the fallback value. */
  readonly registeredAtMicros: number;
}

/**
 * Decisions that stood behind the answer when it was given: waivers of the version's gates, each change of the endpoint that
 * was about it, the definitions of then.
 */
export function approvalsOf(entries: readonly AuditEntry[], asked: Asked): Approval[] {
  const { endpoint, model, version, deploymentGeneration, servedAtMicros, registeredAtMicros } = asked;
  const all = entries.map(({ sequence, atMicros, actor, action, subject, detailJson }) => {
    return { sequence, atMicros, actor, action, subject, detail: JSON.parse(detailJson) as Record<string, unknown> };
  });
  const appliedBy = (subject: string, micros: number): Approval | undefined =>
    all.findLast(
      (entry) => entry.action === 'definition.applied' && entry.subject === subject && entry.atMicros <= micros,
    );
  const definitions = [
    appliedBy(`Endpoint/${endpoint}`, servedAtMicros),
    ...(version === 0 ? [] : [appliedBy(`Model/${model}`, registeredAtMicros)]),
  ];
  const decisions = all.filter(({ action, subject, detail, atMicros }) => {
    if (subject === `Model/${model}/${version}`) return action === 'gates.waived';
    if (action === 'definition.applied' || detail['version'] !== version) return false;
    const generation = detail['generation'];
    // Generations are exact where clocks of two machines are not.
    return typeof generation === 'number' ? generation <= deploymentGeneration : atMicros <= servedAtMicros;
  });
  return [...definitions.flatMap((entry) => entry ?? []), ...decisions].sort((a, b) => a.sequence - b.sequence);
}

/** The newest waiver that names a gate. */
export function waiverOf(gate: string, approvals: readonly Approval[]): Approval | undefined {
  return approvals.findLast(({ action, detail }) => {
    return action === 'gates.waived' && Array.isArray(detail['gates']) && detail['gates'].includes(gate);
  });
}

/** What a chain has beyond another one's. */
export function beyond(chain: readonly TracedEvent[], other: readonly TracedEvent[]): TracedEvent[] {
  const known = new Set(other.map(({ id }) => id));
  return chain.filter(({ id }) => !known.has(id));
}
