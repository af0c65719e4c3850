import { DomainError } from '@headrace/contracts';
import type {
  StartTrainingRequest,
  StartTrainingResponse,
} from '@headrace/contracts/proto/training/v1/training_service';
import { DefinitionReader } from '@headrace/definition-store';
import { UNIT_OF_WORK, type UnitOfWork } from '@headrace/messaging';
import { Inject, Injectable } from '@nestjs/common';
import { InputsRepository } from '../database/inputs.repository';
import { AdvancePlan } from './advance-plan';
import { RequestRun } from './request-run';
import { takeRunLock } from './run-lock';

const MAX_REASON = 1_000;

/** A person starts a run, on what there is now. */
@Injectable()
export class StartTraining {
  constructor(
    @Inject(UNIT_OF_WORK) private readonly work: UnitOfWork,
    private readonly definitions: DefinitionReader,
    private readonly inputs: InputsRepository,
    private readonly advancePlan: AdvancePlan,
    private readonly requestRun: RequestRun,
  ) {}

  async run(request: StartTrainingRequest, subject: string): Promise<StartTrainingResponse> {
    const name = request.plan;
    const reason = request.reason.trim();
    if (reason.length > MAX_REASON) {
      throw new DomainError('invalid', 'reason_too_long', `reason: ${reason.length} characters, at most ${MAX_REASON}`);
    }
    const plan = this.definitions.get('TrainingPlan', name);
    if (!plan) throw new DomainError('not-found', 'unknown_plan', `training plan "${name}" is unknown`);
    const streams = this.advancePlan.streamsOf(plan);
    if (!streams) {
      throw new DomainError(
        'precondition',
        'plan_pending',
        `plan ${name} refers to a FeatureView that is not known yet`,
      );
    }
    return this.work.run(async (transaction) => {
      await takeRunLock(transaction);
      const newest = await this.inputs.newest(transaction, streams);
      const spine = newest.get(plan.definition.spec.spine.stream);
      const missing = streams.filter((stream) => !newest.has(stream));
      if (missing.length > 0 || !spine) {
        const message = `plan ${name}: no dataset version yet of ${missing.join(', ')}`;
        throw new DomainError('precondition', 'no_dataset_version', message);
      }
      const runId = await this.requestRun.run(
        transaction,
        plan.definition,
        {
          trigger: 'manual',
          reason: reason === '' ? `started by ${subject}` : reason,
          requestedBy: subject,
          shuffleLabels: request.shuffleLabels,
          decidedAtEventMicros: 0,
        },
        spine.event,
      );
      return { runId };
    });
  }
}
