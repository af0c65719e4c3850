// What the specs of the running service do and wait for, in the words of the domain.
import { randomUUID } from 'node:crypto';
import { events } from '@headrace/contracts';
import {
  RolloutAnalysisCompleted,
  type RolloutVerdict,
} from '@headrace/contracts/proto/monitoring/v1/monitoring_events';
import type { DeploymentChanged } from '@headrace/contracts/proto/registry/v1/registry_events';
import type {
  GetEndpointResponse,
  ModelVersion,
  RolloutControl,
} from '@headrace/contracts/proto/registry/v1/registry_service';
import type { ModelTrained } from '@headrace/contracts/proto/training/v1/training_events';
import { kinds, type Endpoint, type Model } from '@headrace/definitions';
import { eventually, uniqueName } from '@headrace/testing';
import { Client } from 'pg';
import { aModelTrained, digestOf } from './builders';
import { RegistrySite, RunningRegistry } from './running-registry';

export const PATIENCE = { timeoutMs: 60_000 };

export function nameOf(prefix: string): string {
  return uniqueName(prefix)
    .toLowerCase()
    .replaceAll(/[^a-z0-9-]/g, '-');
}

export function aModel(name: string, spec: { readonly promotion?: 'manual' } = {}): Model {
  return kinds.Model.parse({
    apiVersion: 'headrace.dev/v1',
    kind: 'Model',
    metadata: { name },
    spec: { task: 'binary', gates: [{ name: 'discriminates', metric: 'auc', min: 0.7 }], ...spec },
  });
}

export function anEndpoint(
  name: string,
  model: string,
  weights: number[],
  fallback = 0.2,
  rollout: Record<string, unknown> = { steps: weights.map((weight) => ({ weight })) },
): Endpoint {
  return kinds.Endpoint.parse({
    apiVersion: 'headrace.dev/v1',
    kind: 'Endpoint',
    metadata: { name },
    spec: {
      model,
      joinKey: 'flight',
      fallback: { value: fallback },
      rollout,
    },
  });
}

/** [version, percent] of each deployed version. */
export function weightsOf(deployed: DeploymentChanged | undefined): number[][] {
  return (deployed?.versions ?? []).map(({ version, weightPercent }) => [version, weightPercent]);
}

export class RegistryWorld {
  private constructor(
    readonly site: RegistrySite,
    public running: RunningRegistry,
  ) {}

  static async create(): Promise<RegistryWorld> {
    const site = await RegistrySite.create();
    return new RegistryWorld(site, await RunningRegistry.start(site));
  }

  async restart(): Promise<void> {
    await this.running.stop();
    this.running = await RunningRegistry.start(this.site);
  }

  async remove(): Promise<void> {
    await this.running.stop();
    await this.site.remove();
  }

  /** A model and an endpoint of it, both of the same name. */
  async aLoop(weights: number[]): Promise<string> {
    const name = nameOf('lateness');
    await this.running.apply(aModel(name));
    await this.running.apply(anEndpoint(name, name, weights));
    return name;
  }

  /** The same, rolling out as its definition says: version 1 is deployed, version 2 rolls out. */
  async aRollingLoop(rollout: Record<string, unknown>): Promise<{ name: string; rolling: DeploymentChanged }> {
    const name = nameOf('lateness');
    await this.running.apply(aModel(name));
    await this.running.apply(anEndpoint(name, name, [], 0.2, rollout));
    await this.train(name, 0.75);
    await this.deployed(name, [[1, 100]]);
    await this.train(name, 0.78);
    const rolling = await eventually(async () => {
      const { desired } = await this.endpoint(name);
      if (!desired?.rollout) throw new Error('no rollout yet');
      return desired;
    }, PATIENCE);
    return { name, rolling };
  }

  /** An operator gives a command; returns what the endpoint is then. */
  async commands(name: string, control: RolloutControl, reason = 'as the spec says'): Promise<DeploymentChanged> {
    const { registry } = this.running;
    const request = { endpoint: name, control, reason };
    const { desired } = await this.running.call(registry.controlRollout.bind(registry), request, 'otto');
    if (!desired) throw new Error('nothing deployed');
    return desired;
  }

  /** ingestion commits ten records as a dataset version, in the loop of that name. */
  commits(stream: string, correlationId: string): Promise<string> {
    const record = (offset: number) => ({
      id: `${stream}/0/${offset}`,
      type: events.DataArrived.type,
      topic: `data.${stream}.v1`,
      partition: 0,
      offset,
      timeMicros: offset,
      causationId: `upstream-${offset}`,
    });
    const committed = {
      dataset: { stream, version: 1, manifestDigest: digestOf('d') },
      rows: 10,
      addedRows: 10,
      minEventTimeMicros: 0,
      maxEventTimeMicros: 9,
      maxKnownTimeMicros: 9,
      firstRecord: record(0),
      lastRecord: record(9),
    };
    const cause = { eventId: record(9).id, correlationId };
    return this.running.says(events.DatasetVersionCommitted, committed, { cause });
  }

  /** training gives a model. */
  train(model: string, auc: number, fields: Partial<ModelTrained> = {}): Promise<string> {
    const trained = aModelTrained({
      model,
      plan: `plan-of-${model}`,
      runId: randomUUID(),
      metrics: { auc: { value: auc, low: auc - 0.01, high: auc + 0.01 } },
      modelArtifact: { digest: digestOf(String(Math.round(auc * 100) % 10)), sizeBytes: 10, name: 'model.onnx' },
      ...fields,
    });
    return this.running.says(events.ModelTrained, trained);
  }

  /** monitoring speaks of the rollout in progress. */
  judge(
    deployed: DeploymentChanged,
    verdict: RolloutVerdict,
    fields: Partial<RolloutAnalysisCompleted> = {},
  ): Promise<string> {
    const { rollout } = deployed;
    const analysis = RolloutAnalysisCompleted.fromPartial({
      model: deployed.model,
      endpoint: deployed.endpoint,
      rolloutId: rollout?.rolloutId ?? '',
      step: rollout?.step ?? 0,
      candidateVersion: rollout?.candidateVersion ?? 0,
      championVersion: rollout?.championVersion ?? 0,
      verdict,
      reason: 'as the spec says',
      pairs: 500,
      trigger: {
        id: `prediction-of-${rollout?.rolloutId ?? ''}`,
        type: events.PredictionServed.type,
        topic: 'inference.predictions.v1',
        timeMicros: 5,
        causationId: 'unknown-deployment',
      },
      ...fields,
    });
    return this.running.says(events.RolloutAnalysisCompleted, analysis);
  }

  endpoint(name: string): Promise<GetEndpointResponse> {
    const { registry } = this.running;
    return this.running.call(registry.getEndpoint.bind(registry), { endpoint: name });
  }

  async versions(model: string): Promise<ModelVersion[]> {
    const { registry } = this.running;
    return (await this.running.call(registry.listVersions.bind(registry), { model })).versions;
  }

  /** The endpoint once it serves these versions at these weights. */
  deployed(name: string, expected: number[][]): Promise<DeploymentChanged> {
    return eventually(async () => {
      const { desired } = await this.endpoint(name);
      expect(weightsOf(desired)).toEqual(expected);
      if (!desired) throw new Error('nothing deployed');
      return desired;
    }, PATIENCE);
  }

  /** [change, version] of the endpoint's history. */
  async changes(name: string): Promise<(readonly [string, number])[]> {
    const { history } = await this.endpoint(name);
    return history.map(({ change }) => [change?.change ?? '', change?.version ?? 0] as const);
  }

  async withDatabase<R>(work: (database: Client) => Promise<R>): Promise<R> {
    const database = new Client({ connectionString: this.site.database.url });
    await database.connect();
    try {
      await database.query('SET search_path TO registry');
      return await work(database);
    } finally {
      await database.end();
    }
  }

  /** How often an analysis was kept. */
  kept(eventId: string): Promise<number> {
    return this.withDatabase(async (database) => {
      const sql = 'SELECT event_id FROM rollout_analyses WHERE event_id = $1';
      return (await database.query(sql, [eventId])).rows.length;
    });
  }
}
