import { events } from '@headrace/contracts';
import type { Cause, Transaction } from '@headrace/messaging';
import { LOGGER, type Logger } from '@headrace/service-kit';
import { Inject, Injectable } from '@nestjs/common';
import type { RunRow } from '../database/run.table';
import { RunsRepository } from '../database/runs.repository';
import { stepOf } from '../domain/run';
import { runsFinished } from '../training-metrics';
import { AdvancePlan } from './advance-plan';

export interface RunFailure {
  /** Stable, snake_case. */
  readonly code: string;
  readonly message: string;
}

/** Ends a run without a model; the one that waited behind it begins. The run lock is held. */
@Injectable()
export class EndRun {
  constructor(
    private readonly runs: RunsRepository,
    private readonly advancePlan: AdvancePlan,
    @Inject(LOGGER) private readonly logger: Logger,
  ) {}

  async run(
    transaction: Transaction,
    run: RunRow,
    outcome: 'failed' | 'cancelled',
    failure: RunFailure,
    cause: Cause,
  ): Promise<void> {
    const { runId, plan } = run;
    const { code, message } = failure;
    const step = stepOf[run.state] ?? '';
    run.errorCode = code;
    run.error = message;
    run.claim = null;
    await this.runs.advance(transaction, run, outcome, message);
    transaction.publish(events.TrainingFailed, { runId, plan, step, code, message }, { cause });
    runsFinished.inc({ plan, outcome });
    this.logger.warn({ runId, plan, step, code, reason: message }, `training ${outcome}`);
    await this.advancePlan.run(transaction, plan);
  }
}
