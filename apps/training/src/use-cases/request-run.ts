import { randomUUID } from 'node:crypto';
import type { TrainingPlan } from '@headrace/definitions';
import { nowMicros } from '@headrace/event-time';
import type { Cause, Transaction } from '@headrace/messaging';
import { Injectable } from '@nestjs/common';
import { RunsRepository } from '../database/runs.repository';
import { mergeRequests, type RunRequest } from '../domain/run';
import { AdvancePlan, SNAPSHOT_PATIENCE_MICROS } from './advance-plan';

/** Asks for a run. Never two at once: behind one in progress it waits, and takes in later requests of its kind. */
@Injectable()
export class RequestRun {
  constructor(
    private readonly runs: RunsRepository,
    private readonly advancePlan: AdvancePlan,
  ) {}

  /** Returns the id of the run that will answer. The run lock is held. */
  async run(transaction: Transaction, plan: TrainingPlan, request: RunRequest, cause: Cause): Promise<string> {
    const { name } = plan.metadata;
    const waiting = await this.runs.queued(transaction, name, request.shuffleLabels);
    if (waiting) {
      Object.assign(waiting, mergeRequests(waiting, request), { cause });
      await transaction.manager.save(waiting);
      return waiting.runId;
    }
    const runId = randomUUID();
    const at = nowMicros();
    const isBusy = (await this.runs.active(transaction, name)) !== null;
    await this.runs.insert(transaction, {
      ...request,
      runId,
      plan: name,
      model: plan.spec.model,
      state: isBusy ? 'queued' : 'requested',
      requestedAtMicros: at,
      snapshotDeadlineMicros: at + SNAPSHOT_PATIENCE_MICROS,
      cause,
    });
    await this.advancePlan.run(transaction, name);
    return runId;
  }
}
