import { randomUUID } from 'node:crypto';
import { DomainError, events } from '@headrace/contracts';
import type { ModelTrained } from '@headrace/contracts/proto/training/v1/training_events';
import { DefinitionReader, type Versioned } from '@headrace/definition-store';
import { nowMicros } from '@headrace/event-time';
import type { Cause, Transaction } from '@headrace/messaging';
import { LOGGER, type Logger } from '@headrace/service-kit';
import { Inject, Injectable } from '@nestjs/common';
import { appendAudit } from '../database/audit.repository';
import { EndpointsRepository } from '../database/endpoints.repository';
import { AliasRow } from '../database/version.table';
import { trainedOf, VersionsRepository } from '../database/versions.repository';
import { desiredState } from '../domain/deployment';
import {
  offer,
  signal,
  type Changed,
  type EndpointState,
  type OfferDecision,
  type OfferedVersion,
  type SignalDecision,
} from '../domain/endpoint';
import type { RunningRollout, Signal } from '../domain/rollout';
import { RegistryPublisher } from '../events-out/registry-publisher';
import { deploymentGeneration, rolloutsEnded } from '../registry-metrics';

/** Who decided, why, and which event it follows from. */
export interface Decider {
  /** Subject of a token, or "policy". */
  readonly actor: string;
  readonly reason: string;
  readonly cause: Cause;
}

export const POLICY = 'policy';

/** Brings decisions about endpoints into the world: state, events, alias, history and audit in one transaction. */
@Injectable()
export class RollOut {
  constructor(
    private readonly endpoints: EndpointsRepository,
    private readonly versions: VersionsRepository,
    private readonly publisher: RegistryPublisher,
    private readonly definitions: DefinitionReader,
    @Inject(LOGGER) private readonly logger: Logger,
  ) {}

  /** Offers a validated version to every endpoint of its model. The decision lock is held. */
  async offerEverywhere(
    transaction: Transaction,
    model: string,
    offered: OfferedVersion,
    decider: Decider,
  ): Promise<void> {
    const endpoints = this.definitions.all('Endpoint').filter(({ definition }) => definition.spec.model === model);
    for (const endpoint of endpoints) await this.offer(transaction, endpoint, offered, decider);
  }

  async offer(
    transaction: Transaction,
    endpoint: Versioned<'Endpoint'>,
    offered: OfferedVersion,
    decider: Decider,
  ): Promise<OfferDecision> {
    const name = endpoint.definition.metadata.name;
    const { state } = await this.endpoints.load(transaction, name);
    const decision = offer(state, offered, endpoint.definition.spec.rollout, {
      rolloutId: randomUUID(),
      nowMicros: nowMicros(),
    });
    this.logger.info({ endpoint: name, version: offered.version, decision: decision.kind }, 'a version was offered');
    if (decision.kind === 'changed') await this.carryOut(transaction, endpoint, decision, decider);
    if (decision.kind === 'waits') {
      if (decision.superseded) {
        await this.endpoints.settleWaiting(transaction, name, decision.superseded.version, 'superseded');
      }
      await this.endpoints.wait(transaction, name, offered, decider.cause, nowMicros());
    }
    return decision;
  }

  /** Lets the rollout in progress hear a signal. The decision lock is held. */
  async hear(transaction: Transaction, name: string, heard: Signal, decider: Decider): Promise<SignalDecision> {
    const { state } = await this.endpoints.load(transaction, name);
    const decision = signal(state, heard, nowMicros());
    if (decision.kind === 'changed') {
      const byPolicy = decision.change === 'paused' && heard !== 'operator-pause';
      const reason = byPolicy ? `the step passed and waits until it is resumed: ${decider.reason}` : decider.reason;
      const actor = byPolicy ? POLICY : decider.actor;
      await this.carryOut(transaction, this.defined(name), decision, { ...decider, actor, reason });
    }
    if (decision.kind === 'noted') await this.note(transaction, name, decision.rollout, decider);
    return decision;
  }

  /** The step has its verdict and lasts until its pause is over: remembered and audited, nothing is deployed anew. */
  private async note(transaction: Transaction, name: string, rollout: RunningRollout, decider: Decider): Promise<void> {
    await this.endpoints.saveRunning(transaction, name, rollout);
    const { rolloutId, step, candidate: version } = rollout;
    await appendAudit(transaction, {
      atMicros: nowMicros(),
      actor: decider.actor,
      action: 'endpoint.step_passed',
      subject: `Endpoint/${name}`,
      detail: { rolloutId, step, version, reason: decider.reason, event: decider.cause.eventId },
    });
    this.logger.info({ endpoint: name, rolloutId, step, version }, 'a step passed and waits for its pause to end');
  }

  /** Publishes an endpoint anew after its definition changed. */
  async reconfigure(transaction: Transaction, endpoint: Versioned<'Endpoint'>, decider: Decider): Promise<void> {
    const { state } = await this.endpoints.load(transaction, endpoint.definition.metadata.name);
    const { champion } = state;
    await this.carryOut(
      transaction,
      endpoint,
      {
        kind: 'changed',
        change: 'reconfigured',
        state: { ...state, generation: state.generation + 1 },
        version: champion,
        previousVersion: champion,
        ended: undefined,
      },
      decider,
    );
  }

  private defined(name: string): Versioned<'Endpoint'> {
    const endpoint = this.definitions.get('Endpoint', name);
    if (!endpoint) throw new DomainError('unavailable', 'definition_unknown', `Endpoint ${name} is not known here yet`);
    return endpoint;
  }

  private async carryOut(
    transaction: Transaction,
    endpoint: Versioned<'Endpoint'>,
    changed: Changed,
    decider: Decider,
  ): Promise<void> {
    const name = endpoint.definition.metadata.name;
    const { model } = endpoint.definition.spec;
    const at = nowMicros();
    const { state, change, version, previousVersion } = changed;
    const history = {
      endpoint: name,
      model,
      change,
      version,
      previousVersion,
      reason: decider.reason,
      actor: decider.actor,
      generation: state.generation,
    };
    const historyEvent = await this.publisher.publish(transaction, events.EndpointChanged, history, decider.cause);
    const desired = desiredState(endpoint, state, await this.trainings(transaction, endpoint, state));
    const deploymentEvent = await this.publisher.publish(transaction, events.DeploymentChanged, desired, decider.cause);
    const { generation, champion } = state;
    await this.endpoints.save(transaction, { name, model, generation, champion, deploymentEvent }, desired);
    await this.endpoints.addHistory(transaction, historyEvent.eventId, history, at);
    if (state.rollout) await this.endpoints.saveRunning(transaction, name, state.rollout);
    if (changed.ended && (change === 'promoted' || change === 'rolled_back' || change === 'aborted')) {
      await this.endpoints.end(transaction, changed.ended, { state: change, atMicros: at, reason: decider.reason });
      rolloutsEnded.inc({ endpoint: name, outcome: change });
    }
    await appendAudit(transaction, {
      atMicros: at,
      actor: decider.actor,
      action: `endpoint.${change}`,
      subject: `Endpoint/${name}`,
      detail: { model, version, previousVersion, generation, reason: decider.reason, event: deploymentEvent.eventId },
    });
    await this.pointChampion(transaction, model, state.champion, decider);
    deploymentGeneration.set({ endpoint: name }, generation);
    this.logger.info({ endpoint: name, change, version, previousVersion, generation }, 'endpoint changed');
    if (!state.rollout && state.waiting) await this.startWaiting(transaction, endpoint, decider);
  }

  /** The version that waited for the end of a rollout begins its own; its events follow from its validation. */
  private async startWaiting(
    transaction: Transaction,
    endpoint: Versioned<'Endpoint'>,
    decider: Decider,
  ): Promise<void> {
    const name = endpoint.definition.metadata.name;
    const { state, waitingCause } = await this.endpoints.load(transaction, name);
    if (!state.waiting) return;
    await this.endpoints.settleWaiting(transaction, name, state.waiting.version, 'started');
    const reason = 'waited for the rollout before it';
    await this.offer(transaction, endpoint, state.waiting, {
      actor: POLICY,
      reason,
      cause: waitingCause ?? decider.cause,
    });
  }

  private async pointChampion(
    transaction: Transaction,
    model: string,
    version: number,
    decider: Decider,
  ): Promise<void> {
    const previousVersion = await this.versions.aliased(transaction, model, 'champion');
    if (previousVersion === version) return;
    const trained = await this.trained(transaction, model, version);
    await transaction.manager.save(AliasRow, { model, alias: 'champion', version });
    await this.publisher.publish(
      transaction,
      events.AliasChanged,
      {
        model,
        alias: 'champion',
        version,
        previousVersion,
        reason: decider.reason,
        actor: decider.actor,
        modelArtifact: trained.modelArtifact,
        features: (trained.signature?.features ?? []).map((column) => column.name),
      },
      decider.cause,
    );
    await appendAudit(transaction, {
      atMicros: nowMicros(),
      actor: decider.actor,
      action: 'alias.changed',
      subject: `Model/${model}`,
      detail: { alias: 'champion', version, previousVersion, reason: decider.reason },
    });
  }

  private async trainings(
    transaction: Transaction,
    { definition }: Versioned<'Endpoint'>,
    state: EndpointState,
  ): Promise<(version: number) => ModelTrained> {
    const { model, guardrails } = definition.spec;
    const found = new Map<number, ModelTrained>();
    for (const version of [state.champion, state.rollout?.candidate, guardrails?.fallbackVersion]) {
      if (version !== undefined) found.set(version, await this.trained(transaction, model, version));
    }
    return (version) => {
      const trained = found.get(version);
      if (!trained) throw new Error(`version ${version} of ${model} is not part of the state`);
      return trained;
    };
  }

  private async trained(transaction: Transaction, model: string, version: number): Promise<ModelTrained> {
    const row = await this.versions.find(transaction, model, version);
    if (!row) throw new Error(`version ${version} of ${model} is deployed, yet not registered`);
    return trainedOf(row);
  }
}
