// How the versions of a rollout fare, gathered and told once a second: monitoring rolls back by it without any label.
import { randomUUID } from 'node:crypto';
import { events } from '@headrace/contracts';
import type { VersionsScored } from '@headrace/contracts/proto/inference/v1/inference_events';
import type { Cause } from '@headrace/messaging';
import type { Outgoing } from './event-buffer';

export interface RolloutIdentity {
  readonly endpoint: string;
  readonly rolloutId: string;
  readonly generation: number;
  /** The DeploymentChanged event. */
  readonly cause: Cause;
}

interface Gathered {
  readonly rollout: RolloutIdentity;
  readonly versions: Map<number, { asked: number; failed: number; lastError: string }>;
}

const MAX_ERROR = 500;

export class ScoreReports {
  private gathered = new Map<string, Gathered>();
  private timer: NodeJS.Timeout | undefined;

  constructor(
    private readonly gateway: string,
    private readonly append: (report: Outgoing<VersionsScored>) => void,
    private readonly everyMs = 1_000,
  ) {}

  /** `error`: undefined when the version gave a score. */
  note(rollout: RolloutIdentity, version: number, error: unknown): void {
    const key = `${rollout.rolloutId}/${rollout.generation}`;
    let gathered = this.gathered.get(key);
    if (!gathered) this.gathered.set(key, (gathered = { rollout, versions: new Map() }));
    let counts = gathered.versions.get(version);
    if (!counts) gathered.versions.set(version, (counts = { asked: 0, failed: 0, lastError: '' }));
    counts.asked += 1;
    if (error !== undefined) {
      counts.failed += 1;
      counts.lastError = (error instanceof Error ? error.message : String(error)).slice(0, MAX_ERROR);
    }
    this.timer ??= setTimeout(() => this.flush(), this.everyMs);
  }

  flush(): void {
    clearTimeout(this.timer);
    this.timer = undefined;
    for (const { rollout, versions } of this.gathered.values()) {
      const { endpoint, rolloutId, generation, cause } = rollout;
      const data: VersionsScored = {
        endpoint,
        rolloutId,
        generation,
        gateway: this.gateway,
        versions: [...versions].map(([version, counts]) => ({ version, ...counts })),
      };
      this.append({ definition: events.VersionsScored, data, id: randomUUID(), cause });
    }
    this.gathered.clear();
  }
}
