import { DeploymentChanged, EndpointChanged } from '@headrace/contracts/proto/registry/v1/registry_events';
import type { Cause, Transaction } from '@headrace/messaging';
import { Injectable } from '@nestjs/common';
import { DataSource } from 'typeorm';
import { emptyEndpoint, type EndpointState, type OfferedVersion } from '../domain/endpoint';
import type { RolloutState, RunningRollout } from '../domain/rollout';
import { EndpointHistoryRow, EndpointRow, RolloutAnalysisRow, RolloutRow, WaitingVersionRow } from './endpoint.table';

export interface StoredEndpoint {
  /** Undefined: nothing was ever deployed. */
  readonly row: EndpointRow | undefined;
  readonly state: EndpointState;
  /** Validation of the version that waits. */
  readonly waitingCause: Cause | undefined;
}

/** Endpoints, their rollouts and what waits for them. */
@Injectable()
export class EndpointsRepository {
  constructor(private readonly source: DataSource) {}

  async load(transaction: Transaction, name: string): Promise<StoredEndpoint> {
    const row = await transaction.manager.findOneBy(EndpointRow, { name });
    if (!row) return { row: undefined, state: emptyEndpoint, waitingCause: undefined };
    const running = await transaction.manager.findOneBy(RolloutRow, { endpoint: name, state: 'running' });
    const waiting = await transaction.manager.findOneBy(WaitingVersionRow, { endpoint: name, state: 'waiting' });
    const state: EndpointState = {
      generation: row.generation,
      champion: row.champion,
      rollout: running ? rolloutOf(running) : undefined,
      waiting: waiting ? { version: waiting.version, byWaiver: waiting.byWaiver } : undefined,
    };
    return { row, state, waitingCause: waiting?.cause };
  }

  async save(transaction: Transaction, row: Omit<EndpointRow, 'desired'>, desired: DeploymentChanged): Promise<void> {
    await transaction.manager.save(EndpointRow, { ...row, desired: DeploymentChanged.toJSON(desired) });
  }

  async saveRunning(transaction: Transaction, endpoint: string, rollout: RunningRollout): Promise<void> {
    await transaction.manager.save(RolloutRow, {
      ...rollout,
      endpoint,
      stages: [...rollout.stages],
      state: 'running',
      endedAtMicros: null,
      reason: '',
    });
  }

  async end(
    transaction: Transaction,
    rollout: RunningRollout,
    end: { readonly state: Exclude<RolloutState, 'running'>; readonly atMicros: number; readonly reason: string },
  ): Promise<void> {
    await transaction.manager.update(
      RolloutRow,
      { rolloutId: rollout.rolloutId },
      { state: end.state, endedAtMicros: end.atMicros, reason: end.reason },
    );
  }

  async wait(
    transaction: Transaction,
    endpoint: string,
    offered: OfferedVersion,
    cause: Cause,
    atMicros: number,
  ): Promise<void> {
    await transaction.manager.save(WaitingVersionRow, { endpoint, ...offered, state: 'waiting', cause, atMicros });
  }

  async settleWaiting(
    transaction: Transaction,
    endpoint: string,
    version: number,
    state: 'superseded' | 'started',
  ): Promise<void> {
    await transaction.manager.update(WaitingVersionRow, { endpoint, version }, { state });
  }

  async keepAnalysis(transaction: Transaction, analysis: Omit<RolloutAnalysisRow, 'sequence'>): Promise<void> {
    await transaction.manager.insert(RolloutAnalysisRow, analysis);
  }

  /** Endpoints whose rollout has passed its step, and waits for nothing but its pause. */
  async passedSteps(): Promise<string[]> {
    const rows = await this.source.getRepository(RolloutRow).findBy({ state: 'running', passed: true, paused: false });
    return rows.map((row) => row.endpoint);
  }

  /** The newest such verdict about the step in progress. */
  async lastAnalysis(
    transaction: Transaction,
    rollout: RunningRollout,
    verdict: string,
  ): Promise<RolloutAnalysisRow | null> {
    const { rolloutId, step } = rollout;
    return transaction.manager.findOne(RolloutAnalysisRow, {
      where: { rolloutId, step, verdict },
      order: { sequence: 'DESC' },
    });
  }

  async addHistory(
    transaction: Transaction,
    eventId: string,
    change: EndpointChanged,
    atMicros: number,
  ): Promise<void> {
    const { endpoint, generation } = change;
    await transaction.manager.insert(EndpointHistoryRow, {
      eventId,
      endpoint,
      generation,
      change: EndpointChanged.toJSON(change) as object,
      atMicros,
    });
  }

  async list(): Promise<DeploymentChanged[]> {
    const rows = await this.source.getRepository(EndpointRow).find({ order: { name: 'ASC' } });
    return rows.map((row) => DeploymentChanged.fromJSON(row.desired));
  }

  async withHistory(name: string): Promise<{ desired: DeploymentChanged; history: EndpointHistoryRow[] } | undefined> {
    const row = await this.source.getRepository(EndpointRow).findOneBy({ name });
    if (!row) return undefined;
    const history = await this.source
      .getRepository(EndpointHistoryRow)
      .find({ where: { endpoint: name }, order: { sequence: 'ASC' } });
    return { desired: DeploymentChanged.fromJSON(row.desired), history };
  }
}

function rolloutOf(row: RolloutRow): RunningRollout {
  const { endpoint: _endpoint, state: _state, endedAtMicros: _ended, reason: _reason, ...rollout } = row;
  return rollout;
}
