import { events } from '@headrace/contracts';
import type {
  FeatureMaterializationFailed,
  FeaturesMaterialized,
} from '@headrace/contracts/proto/features/v1/features_events';
import type { DatasetVersionCommitted } from '@headrace/contracts/proto/ingestion/v1/ingestion_events';
import type { RetrainingRequested } from '@headrace/contracts/proto/monitoring/v1/monitoring_events';
import type { AliasChanged } from '@headrace/contracts/proto/registry/v1/registry_events';
import { OnEvent, type Outcome, type ReceivedEvent, type Transaction } from '@headrace/messaging';
import { Controller } from '@nestjs/common';
import { AnswerRetraining } from '../use-cases/answer-retraining';
import { NoteInputs } from '../use-cases/note-inputs';
import { TakeFeatures } from '../use-cases/take-features';

@Controller()
export class TrainingHandler {
  constructor(
    private readonly noteInputs: NoteInputs,
    private readonly answerRetraining: AnswerRetraining,
    private readonly takeFeatures: TakeFeatures,
  ) {}

  @OnEvent(events.DatasetVersionCommitted, { deadLetter: 'reorder-safe' })
  onDatasetVersion(event: ReceivedEvent<DatasetVersionCommitted>, transaction: Transaction): Promise<Outcome> {
    return this.noteInputs.datasetVersion(event, transaction);
  }

  /** The newest alias wins: a dead letter keeps later ones of its model waiting. */
  @OnEvent(events.AliasChanged, { deadLetter: 'park-key' })
  onAliasChanged(event: ReceivedEvent<AliasChanged>, transaction: Transaction): Promise<Outcome> {
    return this.noteInputs.alias(event, transaction);
  }

  @OnEvent(events.RetrainingRequested, { deadLetter: 'reorder-safe' })
  onRetrainingRequested(event: ReceivedEvent<RetrainingRequested>, transaction: Transaction): Promise<Outcome> {
    return this.answerRetraining.run(event, transaction);
  }

  @OnEvent(events.FeaturesMaterialized, { deadLetter: 'reorder-safe' })
  onFeatures(event: ReceivedEvent<FeaturesMaterialized>, transaction: Transaction): Promise<Outcome> {
    return this.takeFeatures.materialized(event, transaction);
  }

  @OnEvent(events.FeatureMaterializationFailed, { deadLetter: 'reorder-safe' })
  onJoinFailed(event: ReceivedEvent<FeatureMaterializationFailed>, transaction: Transaction): Promise<Outcome> {
    return this.takeFeatures.failed(event, transaction);
  }
}
