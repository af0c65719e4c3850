import { nowMicros } from '@headrace/event-time';
import type { Transaction } from '@headrace/messaging';
import { Injectable } from '@nestjs/common';
import { DataSource, In } from 'typeorm';
import { activeStates, mayFollow, stepNames, stepOf, type RunState, type StepName } from '../domain/run';
import { RunRow, RunStepRow } from './run.table';

export interface RunWithSteps {
  readonly run: RunRow;
  readonly steps: readonly RunStepRow[];
}

/** What a new row needs; the rest has defaults. */
export type NewRun = Pick<
  RunRow,
  | 'runId'
  | 'plan'
  | 'model'
  | 'trigger'
  | 'reason'
  | 'requestedBy'
  | 'shuffleLabels'
  | 'decidedAtEventMicros'
  | 'requestedAtMicros'
  | 'cause'
> & { readonly state: 'queued' | 'requested'; readonly snapshotDeadlineMicros: number };

/** Runs and their steps. Changes of state go through `advance`, which keeps both in step. */
@Injectable()
export class RunsRepository {
  constructor(private readonly source: DataSource) {}

  async insert(transaction: Transaction, run: NewRun): Promise<void> {
    await transaction.manager.insert(RunRow, run);
    const isActive = run.state === 'requested';
    await transaction.manager.insert(
      RunStepRow,
      stepNames.map((name, position) => ({
        runId: run.runId,
        name,
        position,
        state: isActive && position === 0 ? ('running' as const) : ('pending' as const),
        startedAtMicros: isActive && position === 0 ? run.requestedAtMicros : null,
        attempts: isActive && position === 0 ? 1 : 0,
      })),
    );
  }

  async find(transaction: Transaction, runId: string): Promise<RunRow | null> {
    return transaction.manager.findOneBy(RunRow, { runId });
  }

  async active(transaction: Transaction, plan: string): Promise<RunRow | null> {
    return transaction.manager.findOneBy(RunRow, { plan, state: In([...activeStates]) });
  }

  async queued(transaction: Transaction, plan: string, shuffleLabels?: boolean): Promise<RunRow | null> {
    const kind = shuffleLabels === undefined ? {} : { shuffleLabels };
    return transaction.manager.findOne(RunRow, {
      where: { plan, state: 'queued', ...kind },
      order: { requestedAtMicros: 'ASC' },
    });
  }

  async last(transaction: Transaction, plan: string): Promise<RunRow | null> {
    return transaction.manager.findOne(RunRow, { where: { plan }, order: { requestedAtMicros: 'DESC' } });
  }

  /** Plans with a run that waits for a moment on the clock or for another run. */
  async waitingPlans(): Promise<string[]> {
    const rows = await this.source.query<{ plan: string }[]>(
      `SELECT DISTINCT plan FROM runs WHERE state IN ('queued', 'requested') ORDER BY plan`,
    );
    return rows.map((row) => row.plan);
  }

  /** Moves a run to its next state, saves its other changes, ends the step of the old state and begins that of the new. */
  async advance(transaction: Transaction, run: RunRow, to: RunState, message = ''): Promise<void> {
    if (!mayFollow(run.state, to)) throw new Error(`run ${run.runId} is ${run.state}: it cannot become ${to}`);
    const at = nowMicros();
    const left = stepOf[run.state];
    const failed = to === 'failed' || to === 'cancelled';
    if (failed) await this.failOpenSteps(transaction, run.runId, message, at);
    else if (left !== undefined && to !== 'done') await this.endStep(transaction, run.runId, left, message, at);
    const entered = stepOf[to];
    // The fit begins when a worker takes it.
    if (entered !== undefined && entered !== 'fit') await this.beginStep(transaction, run.runId, entered, at);
    run.state = to;
    if (to === 'done' || failed) run.finishedAtMicros = at;
    await transaction.manager.save(run);
  }

  /** Begins a step, or begins it again: one attempt more. */
  async beginStep(transaction: Transaction, runId: string, name: StepName, atMicros: number): Promise<void> {
    await transaction.query(
      `UPDATE run_steps SET state = 'running', attempts = attempts + 1, message = '',
         started_at_micros = COALESCE(started_at_micros, $3)
       WHERE run_id = $1 AND name = $2`,
      [runId, name, atMicros],
    );
  }

  async endStep(
    transaction: Transaction,
    runId: string,
    name: StepName,
    message: string,
    atMicros: number,
  ): Promise<void> {
    await transaction.manager.update(
      RunStepRow,
      { runId, name },
      { state: 'done', message, finishedAtMicros: atMicros },
    );
  }

  async steps(transaction: Transaction, runId: string): Promise<RunStepRow[]> {
    return transaction.manager.find(RunStepRow, { where: { runId }, order: { position: 'ASC' } });
  }

  private async failOpenSteps(
    transaction: Transaction,
    runId: string,
    message: string,
    atMicros: number,
  ): Promise<void> {
    await transaction.manager.update(
      RunStepRow,
      { runId, state: 'running' },
      { state: 'failed', message, finishedAtMicros: atMicros },
    );
  }

  async list(plan: string | undefined): Promise<RunWithSteps[]> {
    const runs = await this.source.getRepository(RunRow).find({
      where: plan === undefined ? {} : { plan },
      order: { requestedAtMicros: 'ASC', runId: 'ASC' },
    });
    const steps = await this.source
      .getRepository(RunStepRow)
      .find({ where: { runId: In(runs.map((run) => run.runId)) }, order: { position: 'ASC' } });
    return runs.map((run) => ({ run, steps: steps.filter((step) => step.runId === run.runId) }));
  }
}
