import { events } from '@headrace/contracts';
import type {
  DeploymentChanged,
  EndpointChanged,
  GateEvaluated,
  ModelVersionRegistered,
  ReplayRequested,
} from '@headrace/contracts/proto/registry/v1/registry_events';
import type { TrainingFailed, TrainingRequested } from '@headrace/contracts/proto/training/v1/training_events';
import { OnEvent, type ReceivedEvent, type Transaction } from '@headrace/messaging';
import { Controller } from '@nestjs/common';
import { saveDeployment } from '../database/deployments.repository';
import { saveVersionChange } from '../database/loop.repository';
import { saveReplayRequest } from '../database/replay-requests.repository';
import {
  savePersonAction,
  saveRunFailure,
  saveRunRequest,
  saveRunVersion,
  saveVerdict,
} from '../database/retraining.repository';

/** Changes of an endpoint after which nothing more is to be said about a version for now. */
const VERDICTS: ReadonlySet<string> = new Set(['deployed', 'promoted', 'rolled_back', 'aborted']);

/** Trigger of a training that somebody asked for with their token. */
const BY_HAND = 'manual';
/** Actor of what registry does by itself; every other one is the subject of a token. */
const POLICY = 'policy';

const REORDER_SAFE = { deadLetter: 'reorder-safe' } as const;

/** What serves, and what became of the retrainings that were asked for. */
@Controller()
export class VersionsHandler {
  @OnEvent(events.DeploymentChanged, REORDER_SAFE)
  async onDeployment(event: ReceivedEvent<DeploymentChanged>, transaction: Transaction): Promise<void> {
    await saveDeployment(transaction, event);
  }

  @OnEvent(events.TrainingRequested, REORDER_SAFE)
  async onTrainingRequested(event: ReceivedEvent<TrainingRequested>, transaction: Transaction): Promise<void> {
    const { eventId, timeMicros: actedMicros, data } = event;
    const { runId, model, trigger, requestedBy: actor } = data;
    await saveRunRequest(transaction, runId, event.causationId, actedMicros);
    if (trigger !== BY_HAND) return;
    await savePersonAction(transaction, { eventId, model, action: 'trained', actor, actedMicros, runId });
  }

  @OnEvent(events.TrainingFailed, REORDER_SAFE)
  async onTrainingFailed(event: ReceivedEvent<TrainingFailed>, transaction: Transaction): Promise<void> {
    await saveRunFailure(transaction, event.data.runId);
  }

  @OnEvent(events.ModelVersionRegistered, REORDER_SAFE)
  async onRegistered(
    { data, timeMicros }: ReceivedEvent<ModelVersionRegistered>,
    transaction: Transaction,
  ): Promise<void> {
    await saveRunVersion(transaction, data, timeMicros);
  }

  @OnEvent(events.GateEvaluated, REORDER_SAFE)
  async onGates({ data }: ReceivedEvent<GateEvaluated>, transaction: Transaction): Promise<void> {
    if (!data.passed) await saveVerdict(transaction, data.model, data.version, 'refused');
  }

  @OnEvent(events.ReplayRequested, REORDER_SAFE)
  async onReplayRequested(event: ReceivedEvent<ReplayRequested>, transaction: Transaction): Promise<void> {
    await saveReplayRequest(transaction, event);
  }

  @OnEvent(events.EndpointChanged, REORDER_SAFE)
  async onEndpoint(event: ReceivedEvent<EndpointChanged>, transaction: Transaction): Promise<void> {
    const { endpoint, model, version, change, actor } = event.data;
    const { eventId, timeMicros: changedMicros } = event;
    if (actor !== POLICY) {
      const action = { eventId, model, action: change, actor, actedMicros: changedMicros, runId: undefined };
      await savePersonAction(transaction, action);
    }
    if (!VERDICTS.has(change)) return;
    await saveVerdict(transaction, model, version, change);
    await saveVersionChange(transaction, { eventId, model, version, endpoint, change, changedMicros });
  }
}
