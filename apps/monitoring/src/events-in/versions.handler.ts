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
import { saveRunFailure, saveRunRequest, saveRunVersion, saveVerdict } from '../database/retraining.repository';

/** Changes of an endpoint after which nothing more is to be said about a version for now. */
const VERDICTS: ReadonlySet<string> = new Set(['deployed', 'promoted', 'rolled_back', 'aborted']);

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
    await saveRunRequest(transaction, event.data.runId, event.causationId, event.timeMicros);
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
    const { endpoint, model, version, change } = event.data;
    if (!VERDICTS.has(change)) return;
    await saveVerdict(transaction, model, version, change);
    const { eventId, timeMicros: changedMicros } = event;
    await saveVersionChange(transaction, { eventId, model, version, endpoint, change, changedMicros });
  }
}
