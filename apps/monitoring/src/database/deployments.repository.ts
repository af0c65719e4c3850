import { VersionRole, type DeploymentChanged } from '@headrace/contracts/proto/registry/v1/registry_events';
import type { Cause, ReceivedEvent } from '@headrace/messaging';
import type { Queries } from './sql';

export interface RunningRollout {
  readonly rolloutId: string;
  readonly candidate: number;
  readonly champion: number;
  readonly step: number;
  readonly paused: boolean;
  /** Wall clock; 0 or absent (written before it was known): not known. */
  readonly stepStartedMicros?: number;
}

/** What an endpoint serves now. */
export interface Deployment {
  readonly endpoint: string;
  readonly model: string;
  readonly championVersion: number | undefined;
  /** Of the champion's reference profile. */
  readonly profileDigest: string | undefined;
  readonly rollout: RunningRollout | undefined;
  /** The DeploymentChanged event. */
  readonly cause: Cause;
}

export async function saveDeployment(queries: Queries, event: ReceivedEvent<DeploymentChanged>): Promise<void> {
  const { endpoint, generation, model, versions, rollout } = event.data;
  const champion = versions.find((version) => version.role === VersionRole.CHAMPION);
  const running: RunningRollout | undefined = rollout && {
    rolloutId: rollout.rolloutId,
    candidate: rollout.candidateVersion,
    champion: rollout.championVersion,
    step: rollout.step,
    paused: rollout.paused,
    stepStartedMicros: rollout.stepStartedAtMicros,
  };
  await queries.query(
    `INSERT INTO deployments (endpoint, generation, model, champion_version, profile_digest, rollout, event_id,
        correlation_id, traceparent)
     VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)
     ON CONFLICT (endpoint) DO UPDATE
        SET generation = excluded.generation, model = excluded.model, champion_version = excluded.champion_version,
            profile_digest = excluded.profile_digest, rollout = excluded.rollout, event_id = excluded.event_id,
            correlation_id = excluded.correlation_id, traceparent = excluded.traceparent
      WHERE excluded.generation > deployments.generation`,
    [
      endpoint,
      generation,
      model,
      champion?.version ?? null,
      champion?.profileArtifact?.digest ?? null,
      running === undefined ? null : JSON.stringify(running),
      event.eventId,
      event.correlationId,
      event.traceparent ?? null,
    ],
  );
}

export async function readDeployment(queries: Queries, endpoint: string): Promise<Deployment | undefined> {
  const [row] = await queries.query<{
    model: string;
    champion_version: number | null;
    profile_digest: string | null;
    rollout: RunningRollout | null;
    event_id: string;
    correlation_id: string;
    traceparent: string | null;
  }>(
    `SELECT model, champion_version::float8 AS champion_version, profile_digest, rollout, event_id, correlation_id,
        traceparent
       FROM deployments WHERE endpoint = $1`,
    [endpoint],
  );
  if (!row) return undefined;
  return {
    endpoint,
    model: row.model,
    championVersion: row.champion_version ?? undefined,
    profileDigest: row.profile_digest ?? undefined,
    rollout: row.rollout ?? undefined,
    cause: {
      eventId: row.event_id,
      correlationId: row.correlation_id,
      ...(row.traceparent === null ? {} : { traceparent: row.traceparent }),
    },
  };
}

/** Endpoints with a rollout in progress. */
export async function readRollingOut(queries: Queries): Promise<string[]> {
  const rows = await queries.query<{ endpoint: string }>(
    `SELECT endpoint FROM deployments WHERE jsonb_typeof(rollout) = 'object' ORDER BY endpoint`,
  );
  return rows.map((row) => row.endpoint);
}
