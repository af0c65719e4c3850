import { events } from '@headrace/contracts';
import type { ModelLoadFailed } from '@headrace/contracts/proto/inference/v1/inference_events';
import type {
  ReplayCompleted,
  RolloutAnalysisCompleted,
} from '@headrace/contracts/proto/monitoring/v1/monitoring_events';
import type { ModelTrained } from '@headrace/contracts/proto/training/v1/training_events';
import { OnEvent, type Outcome, type ReceivedEvent, type Transaction } from '@headrace/messaging';
import { Controller } from '@nestjs/common';
import { HeedAnalysis } from '../use-cases/heed-analysis';
import { HeedLoadFailure } from '../use-cases/heed-load-failure';
import { HeedReplay } from '../use-cases/heed-replay';
import { RegisterVersion } from '../use-cases/register-version';

/** Events that registry decides by. */
@Controller()
export class DecisionsHandler {
  constructor(
    private readonly registerVersion: RegisterVersion,
    private readonly heedAnalysis: HeedAnalysis,
    private readonly heedLoadFailure: HeedLoadFailure,
    private readonly heedReplay: HeedReplay,
  ) {}

  /** Numbers follow the order of a plan's runs: a dead letter keeps later ones of its plan waiting. */
  @OnEvent(events.ModelTrained, { deadLetter: 'park-key' })
  onModelTrained(event: ReceivedEvent<ModelTrained>, transaction: Transaction): Promise<Outcome> {
    return this.registerVersion.run(event, transaction);
  }

  @OnEvent(events.RolloutAnalysisCompleted, { deadLetter: 'reorder-safe' })
  onAnalysis(event: ReceivedEvent<RolloutAnalysisCompleted>, transaction: Transaction): Promise<Outcome> {
    return this.heedAnalysis.run(event, transaction);
  }

  @OnEvent(events.ReplayCompleted, { deadLetter: 'reorder-safe' })
  onReplay(event: ReceivedEvent<ReplayCompleted>, transaction: Transaction): Promise<Outcome> {
    return this.heedReplay.run(event, transaction);
  }

  @OnEvent(events.ModelLoadFailed, { deadLetter: 'reorder-safe' })
  onLoadFailed(event: ReceivedEvent<ModelLoadFailed>, transaction: Transaction): Promise<Outcome> {
    return this.heedLoadFailure.run(event, transaction);
  }
}
