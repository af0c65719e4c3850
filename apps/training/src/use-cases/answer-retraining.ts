import type { RetrainingRequested } from '@headrace/contracts/proto/monitoring/v1/monitoring_events';
import { DefinitionReader } from '@headrace/definition-store';
import type { Outcome, ReceivedEvent, Transaction } from '@headrace/messaging';
import { LOGGER, type Logger } from '@headrace/service-kit';
import { Inject, Injectable } from '@nestjs/common';
import { RequestRun } from './request-run';
import { takeRunLock } from './run-lock';
import { causeOf } from './take-features';

/** Monitoring asks for a new version. */
@Injectable()
export class AnswerRetraining {
  constructor(
    private readonly definitions: DefinitionReader,
    private readonly requestRun: RequestRun,
    @Inject(LOGGER) private readonly logger: Logger,
  ) {}

  async run(event: ReceivedEvent<RetrainingRequested>, transaction: Transaction): Promise<Outcome> {
    const { plan: name, monitor, signal, reason, decidedAtEventMicros } = event.data;
    if (name === '') return { kind: 'rejected', code: 'no_plan', message: 'plan: a TrainingPlan is needed' };
    const plan = this.definitions.get('TrainingPlan', name);
    if (!plan) return { kind: 'not-yet', waitsFor: `TrainingPlan/${name}` };
    if (!plan.definition.spec.triggers.onRetrainingRequested) {
      this.logger.info({ plan: name, monitor }, 'the plan does not answer requests for retraining');
      return { kind: 'done' };
    }
    await takeRunLock(transaction);
    const request = {
      // What is estimated is performance; concept drift is drift.
      trigger: signal === 'performance' || signal === 'estimate' ? ('performance' as const) : ('drift' as const),
      reason,
      requestedBy: `Monitor/${monitor}`,
      shuffleLabels: false,
      decidedAtEventMicros,
    };
    await this.requestRun.run(transaction, plan.definition, request, causeOf(event));
    return { kind: 'done' };
  }
}
