import { DomainError } from '@headrace/contracts';
import { UNIT_OF_WORK, type UnitOfWork } from '@headrace/messaging';
import { Inject, Injectable } from '@nestjs/common';
import { RunsRepository } from '../database/runs.repository';
import { isFinished } from '../domain/run';
import { EndRun } from './end-run';
import { takeRunLock } from './run-lock';

/** A person stops a run. Its trainer is ended by the worker, which sees that the run is no longer its own. */
@Injectable()
export class CancelRun {
  constructor(
    @Inject(UNIT_OF_WORK) private readonly work: UnitOfWork,
    private readonly runs: RunsRepository,
    private readonly endRun: EndRun,
  ) {}

  async run(runId: string, subject: string): Promise<void> {
    await this.work.run(async (transaction) => {
      await takeRunLock(transaction);
      const run = await this.runs.find(transaction, runId);
      if (!run) throw new DomainError('not-found', 'unknown_run', `run "${runId}" is unknown`);
      if (isFinished(run.state)) {
        throw new DomainError('precondition', 'run_finished', `run ${runId} is ${run.state} already`);
      }
      const failure = { code: 'cancelled', message: `cancelled by ${subject}` };
      await this.endRun.run(transaction, run, 'cancelled', failure, run.featuresEvent ?? run.cause);
    });
  }
}
