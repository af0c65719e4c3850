import { events } from '@headrace/contracts';
import type { EventRef } from '@headrace/contracts/proto/common/v1/common';
import type {
  DatasetScored,
  FeatureMaterializationFailed,
  FeaturesMaterialized,
  ScoringFailed,
} from '@headrace/contracts/proto/features/v1/features_events';
import type { DeploymentActivated, ModelLoadFailed } from '@headrace/contracts/proto/inference/v1/inference_events';
import type {
  DataQualityDegraded,
  DataQualityRestored,
  DatasetVersionCommitted,
} from '@headrace/contracts/proto/ingestion/v1/ingestion_events';
import type {
  AlertRaised,
  AlertResolved,
  DriftDetected,
  PerformanceDegraded,
  ReplayCompleted,
  RetrainingRequested,
  RetrainingWithheld,
  RolloutAnalysisCompleted,
} from '@headrace/contracts/proto/monitoring/v1/monitoring_events';
import type {
  ModelTrained,
  TrainingFailed,
  TrainingRequested,
  TrainingStarted,
} from '@headrace/contracts/proto/training/v1/training_events';
import { OnEventBatch, type ReceivedEvent, type Transaction } from '@headrace/messaging';
import { Controller } from '@nestjs/common';
import { EventIndexRepository } from '../database/event-index.repository';
import { indexedBy } from '../domain/indexed-events';

/** A group of its own: indexing never holds a decision up. */
const options = { deadLetter: 'reorder-safe', group: 'registry-index' } as const;

/** Events of other services, for TraceEvent; registry indexes its own as it publishes them. */
@Controller()
export class EventIndexHandler {
  constructor(private readonly index: EventIndexRepository) {}

  @OnEventBatch(events.DatasetVersionCommitted, options)
  onDatasetVersionCommitted(
    received: ReceivedEvent<DatasetVersionCommitted>[],
    transaction: Transaction,
  ): Promise<void> {
    return this.keep(received, transaction, (data) => [data.firstRecord, data.lastRecord]);
  }

  @OnEventBatch(events.DataQualityDegraded, options)
  onDataQualityDegraded(received: ReceivedEvent<DataQualityDegraded>[], transaction: Transaction): Promise<void> {
    return this.keep(received, transaction);
  }

  @OnEventBatch(events.DataQualityRestored, options)
  onDataQualityRestored(received: ReceivedEvent<DataQualityRestored>[], transaction: Transaction): Promise<void> {
    return this.keep(received, transaction);
  }

  @OnEventBatch(events.FeaturesMaterialized, options)
  onFeaturesMaterialized(received: ReceivedEvent<FeaturesMaterialized>[], transaction: Transaction): Promise<void> {
    return this.keep(received, transaction);
  }

  @OnEventBatch(events.FeatureMaterializationFailed, options)
  onFeatureMaterializationFailed(
    received: ReceivedEvent<FeatureMaterializationFailed>[],
    transaction: Transaction,
  ): Promise<void> {
    return this.keep(received, transaction);
  }

  @OnEventBatch(events.DatasetScored, options)
  onDatasetScored(received: ReceivedEvent<DatasetScored>[], transaction: Transaction): Promise<void> {
    return this.keep(received, transaction);
  }

  @OnEventBatch(events.ScoringFailed, options)
  onScoringFailed(received: ReceivedEvent<ScoringFailed>[], transaction: Transaction): Promise<void> {
    return this.keep(received, transaction);
  }

  @OnEventBatch(events.TrainingRequested, options)
  onTrainingRequested(received: ReceivedEvent<TrainingRequested>[], transaction: Transaction): Promise<void> {
    return this.keep(received, transaction);
  }

  @OnEventBatch(events.TrainingStarted, options)
  onTrainingStarted(received: ReceivedEvent<TrainingStarted>[], transaction: Transaction): Promise<void> {
    return this.keep(received, transaction);
  }

  @OnEventBatch(events.ModelTrained, options)
  onModelTrained(received: ReceivedEvent<ModelTrained>[], transaction: Transaction): Promise<void> {
    return this.keep(received, transaction);
  }

  @OnEventBatch(events.TrainingFailed, options)
  onTrainingFailed(received: ReceivedEvent<TrainingFailed>[], transaction: Transaction): Promise<void> {
    return this.keep(received, transaction);
  }

  @OnEventBatch(events.DeploymentActivated, options)
  onDeploymentActivated(received: ReceivedEvent<DeploymentActivated>[], transaction: Transaction): Promise<void> {
    return this.keep(received, transaction);
  }

  @OnEventBatch(events.ModelLoadFailed, options)
  onModelLoadFailed(received: ReceivedEvent<ModelLoadFailed>[], transaction: Transaction): Promise<void> {
    return this.keep(received, transaction);
  }

  @OnEventBatch(events.DriftDetected, options)
  onDriftDetected(received: ReceivedEvent<DriftDetected>[], transaction: Transaction): Promise<void> {
    return this.keep(received, transaction, (data) => [data.trigger]);
  }

  @OnEventBatch(events.PerformanceDegraded, options)
  onPerformanceDegraded(received: ReceivedEvent<PerformanceDegraded>[], transaction: Transaction): Promise<void> {
    return this.keep(received, transaction, (data) => [data.trigger]);
  }

  @OnEventBatch(events.RolloutAnalysisCompleted, options)
  onRolloutAnalysisCompleted(
    received: ReceivedEvent<RolloutAnalysisCompleted>[],
    transaction: Transaction,
  ): Promise<void> {
    return this.keep(received, transaction, (data) => [data.trigger]);
  }

  @OnEventBatch(events.ReplayCompleted, options)
  onReplayCompleted(received: ReceivedEvent<ReplayCompleted>[], transaction: Transaction): Promise<void> {
    return this.keep(received, transaction);
  }

  @OnEventBatch(events.RetrainingRequested, options)
  onRetrainingRequested(received: ReceivedEvent<RetrainingRequested>[], transaction: Transaction): Promise<void> {
    return this.keep(received, transaction);
  }

  @OnEventBatch(events.RetrainingWithheld, options)
  onRetrainingWithheld(received: ReceivedEvent<RetrainingWithheld>[], transaction: Transaction): Promise<void> {
    return this.keep(received, transaction);
  }

  @OnEventBatch(events.AlertRaised, options)
  onAlertRaised(received: ReceivedEvent<AlertRaised>[], transaction: Transaction): Promise<void> {
    return this.keep(received, transaction);
  }

  @OnEventBatch(events.AlertResolved, options)
  onAlertResolved(received: ReceivedEvent<AlertResolved>[], transaction: Transaction): Promise<void> {
    return this.keep(received, transaction);
  }

  private keep<T>(
    received: readonly ReceivedEvent<T>[],
    transaction: Transaction,
    evidence: (data: T) => readonly (EventRef | undefined)[] = () => [],
  ): Promise<void> {
    const indexed = received.flatMap((event) => indexedBy({ ...event, id: event.eventId }, evidence(event.data)));
    return this.index.add(transaction, indexed);
  }
}
