// What is served now: read by every request, written by the deployment follower.
import { DomainError } from '@headrace/contracts';
import type { Deployment } from '../domain/deployment';
import type { ActiveDeployment } from './active-deployment';

export interface Refusal {
  readonly version: number;
  readonly code: string;
  readonly message: string;
}

export interface Endpoint {
  /** Newest one that was announced. */
  wanted: Deployment;
  active: ActiveDeployment | undefined;
  /** Why the newest could not be activated. */
  refusal: Refusal | undefined;
}

export class ServingTable {
  private readonly endpoints = new Map<string, Endpoint>();
  private caughtUp = false;
  private resumed = false;

  /** Everything that was announced before the start is known. */
  markCaughtUp(): void {
    this.caughtUp = true;
  }

  /** The log is away for long: what was served before the start is enough to be ready. */
  markResumed(): void {
    this.resumed = true;
  }

  want(deployment: Deployment): void {
    const endpoint = this.endpoints.get(deployment.endpoint);
    if (endpoint) Object.assign(endpoint, { wanted: deployment, refusal: undefined });
    else this.endpoints.set(deployment.endpoint, { wanted: deployment, active: undefined, refusal: undefined });
  }

  wanted(name: string): Deployment | undefined {
    return this.endpoints.get(name)?.wanted;
  }

  /** From now on this one gets the requests. Returns the one that got them before. */
  activate(active: ActiveDeployment): ActiveDeployment | undefined {
    const endpoint = this.endpoints.get(active.deployment.endpoint);
    if (!endpoint) throw new Error(`endpoint ${active.deployment.endpoint} was never announced`);
    const before = endpoint.active;
    endpoint.active = active;
    return before;
  }

  refuse(name: string, refusal: Refusal): void {
    const endpoint = this.endpoints.get(name);
    if (endpoint) endpoint.refusal = refusal;
  }

  find(name: string): ActiveDeployment | undefined {
    return this.endpoints.get(name)?.active;
  }

  /** Throws `not-found`, or `unavailable` while it may still come. */
  require(name: string): ActiveDeployment {
    return this.endpoints.get(name)?.active ?? this.explain(name);
  }

  /** Declared fallback of an endpoint none of whose versions could be loaded. */
  fallbackWithoutModel(name: string): Deployment | undefined {
    const endpoint = this.endpoints.get(name);
    if (!endpoint || endpoint.active || !endpoint.refusal) return undefined;
    return endpoint.wanted.fallback === undefined ? undefined : endpoint.wanted;
  }

  private explain(name: string): never {
    const refusal = this.endpoints.get(name)?.refusal;
    if (refusal) {
      const what = `version ${refusal.version} could not be loaded (${refusal.code}: ${refusal.message})`;
      throw new DomainError('unavailable', 'not_loaded', `endpoint "${name}" has no loaded version: ${what}`);
    }
    if (this.endpoints.has(name) || !this.caughtUp) {
      throw new DomainError('unavailable', 'not_loaded', `endpoint "${name}" is not loaded yet: try again`);
    }
    const known = [...this.endpoints.keys()].sort().slice(0, 20).join(', ') || 'none yet';
    throw new DomainError(
      'not-found',
      'unknown_endpoint',
      `there is no endpoint "${name.slice(0, 100)}": known are ${known}`,
    );
  }

  /** Why the newest deployment of an endpoint is not served. */
  refusal(name: string): Refusal | undefined {
    return this.endpoints.get(name)?.refusal;
  }

  /** Everything that was announced. */
  all(): Readonly<Endpoint>[] {
    return [...this.endpoints.values()];
  }

  active(): ActiveDeployment[] {
    return [...this.endpoints.values()].flatMap(({ active }) => (active ? [active] : []));
  }

  /** Undefined when everything that was announced serves, or was found not to be loadable. */
  notReadyReason(): string | undefined {
    if (!this.caughtUp && !this.resumed) return 'the deployments topic is still being read';
    const loading = [...this.endpoints].filter(([, { active, refusal }]) => !active && !refusal).map(([name]) => name);
    return loading.length === 0 ? undefined : `being loaded: ${loading.join(', ')}`;
  }
}
