import type {
  FeatureMaterializationFailed,
  FeaturesMaterialized,
} from '@headrace/contracts/proto/features/v1/features_events';
import type { Cause, Outcome, ReceivedEvent, Transaction } from '@headrace/messaging';
import { LOGGER, type Logger } from '@headrace/service-kit';
import { Inject, Injectable } from '@nestjs/common';
import type { RunRow } from '../database/run.table';
import { RunsRepository } from '../database/runs.repository';
import { columnsFault } from '../domain/signature';
import { EndRun } from './end-run';
import { takeRunLock } from './run-lock';

/** The join of a run is made, or cannot be made. */
@Injectable()
export class TakeFeatures {
  constructor(
    private readonly runs: RunsRepository,
    private readonly endRun: EndRun,
    @Inject(LOGGER) private readonly logger: Logger,
  ) {}

  async materialized(event: ReceivedEvent<FeaturesMaterialized>, transaction: Transaction): Promise<Outcome> {
    const { runId, trainingSet, columns, featureViews, rows } = event.data;
    const run = await this.joining(runId, transaction);
    if (!run) return { kind: 'done' };
    const fault = trainingSet ? columnsFault(run.columns ?? [], columns) : 'FeaturesMaterialized names no training set';
    if (fault !== undefined || !trainingSet) {
      const failure = { code: 'training_set_differs', message: fault ?? '' };
      await this.endRun.run(transaction, run, 'failed', failure, event);
      return { kind: 'done' };
    }
    run.trainingSet = trainingSet;
    run.trainingColumns = columns;
    run.featureViews = featureViews;
    run.featuresEvent = causeOf(event);
    await this.runs.advance(transaction, run, 'fitting', `${rows} rows`);
    return { kind: 'done' };
  }

  async failed(event: ReceivedEvent<FeatureMaterializationFailed>, transaction: Transaction): Promise<Outcome> {
    const { runId, code, message } = event.data;
    const run = await this.joining(runId, transaction);
    if (run) await this.endRun.run(transaction, run, 'failed', { code, message }, event);
    return { kind: 'done' };
  }

  private async joining(runId: string, transaction: Transaction): Promise<RunRow | undefined> {
    await takeRunLock(transaction);
    const run = await this.runs.find(transaction, runId);
    if (run?.state === 'joining') return run;
    this.logger.info({ runId, state: run?.state ?? 'unknown' }, 'a join is not needed: its run does not wait for it');
    return undefined;
  }
}

/** What is kept of an event to follow from it later. */
export function causeOf({ eventId, correlationId, traceparent }: Cause): Cause {
  return { eventId, correlationId, ...(traceparent === undefined ? {} : { traceparent }) };
}
