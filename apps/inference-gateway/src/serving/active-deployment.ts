// One generation of an endpoint that serves: its loaded versions, who answers next, and how many requests it still owes.
import type { Deployment, Role, WantedVersion } from '../domain/deployment';
import type { InputPlan } from '../domain/input-plan';
import { assign, standingOf } from '../domain/sticky-assignment';
import { WeightedRoundRobin } from '../domain/weighted-round-robin';
import type { FeatureRanges } from '../domain/guardrails';
import type { LoadedVersion } from '../models/version-pool';

export interface ServedVersion {
  readonly number: number;
  readonly role: Role;
  readonly weight: number;
  readonly task: WantedVersion['signature']['task'];
  /** The same object for versions that are asked alike: their features are fetched once. */
  readonly inputs: InputPlan;
  readonly loaded: LoadedVersion;
  /** By the places of its features; empty: no guardrail needs them. */
  readonly ranges: FeatureRanges;
}

export class ActiveDeployment {
  readonly champion: ServedVersion;
  /** What the guardrails let answer in place of another; undefined: none is declared. */
  readonly standIn: ServedVersion | undefined;
  private readonly router: WeightedRoundRobin<ServedVersion>;
  private inFlight = 0;
  private onIdle: (() => void) | undefined;

  constructor(
    readonly deployment: Deployment,
    readonly versions: readonly [ServedVersion, ...ServedVersion[]],
  ) {
    this.champion = versions[0];
    const standIn = deployment.guardrails?.fallbackVersion;
    this.standIn = versions.find(({ number, role }) => number === standIn && role !== 'shadow');
    this.router = new WeightedRoundRobin(versions);
  }

  /**
   * Version that answers the next request. `unit`: of an A/B rollout, what keeps its version; requests that name none are
   * the champion's, they would blur the comparison.
   */
  route(unit?: string): ServedVersion {
    const { sticky } = this.deployment;
    if (!sticky) return this.router.next();
    return unit === undefined ? this.champion : assign(standingOf(unit, sticky.salt), this.versions);
  }

  /** By its number. Never a shadow: its answers are returned to nobody. */
  version(number: string): ServedVersion | undefined {
    return this.versions.find((version) => version.role !== 'shadow' && String(version.number) === number);
  }

  /** Between enter and leave its versions stay loaded. Enter in the same turn in which it was found. */
  enter(): void {
    this.inFlight += 1;
  }

  leave(): void {
    this.inFlight -= 1;
    if (this.inFlight === 0) this.idle();
  }

  /** It gets no new requests; `onIdle` is called once when the last one was answered. */
  retire(onIdle: () => void): void {
    this.onIdle = onIdle;
    if (this.inFlight === 0) this.idle();
  }

  private idle(): void {
    const { onIdle } = this;
    this.onIdle = undefined;
    onIdle?.();
  }
}
