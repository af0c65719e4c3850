import { DomainError, events } from '@headrace/contracts';
import type { Estimate } from '@headrace/contracts/proto/common/v1/common';
import type { ReplayVersionResponse } from '@headrace/contracts/proto/monitoring/v1/monitoring_service';
import type { ReplayRequested } from '@headrace/contracts/proto/registry/v1/registry_events';
import { nowMicros } from '@headrace/event-time';
import { UNIT_OF_WORK, type UnitOfWork } from '@headrace/messaging';
import { LOGGER, type Logger } from '@headrace/service-kit';
import { Inject, Injectable } from '@nestjs/common';
import { DataSource } from 'typeorm';
import {
  countReplayRequests,
  removeReplayRequest,
  takeReplayRequest,
  tryLater,
  type TakenRequest,
} from '../database/replay-requests.repository';
import type { Queries } from '../database/sql';
import { gateReplaysTotal, gateReplaysWaiting } from '../monitoring-metrics';
import { ReplayVersion } from './replay-version';

/** What one replay may take; a crash in its midst costs as long. */
const LEASE_SECONDS = 300;
/** Labels come when they come: looked at soon, then more seldom. */
const FIRST_PAUSE_SECONDS = 1;
const LONGEST_PAUSE_SECONDS = 60;

type Told =
  | { readonly kind: 'measured'; readonly measured: Estimate; readonly answer: ReplayVersionResponse }
  | { readonly kind: 'not-yet'; readonly reason: string };

/** Answers the gates that wait for a replay, as soon as there are labelled requests enough, or at their deadline. */
@Injectable()
export class AnswerReplays {
  private readonly queries: Queries;

  constructor(
    private readonly replay: ReplayVersion,
    @Inject(UNIT_OF_WORK) private readonly work: UnitOfWork,
    @Inject(LOGGER) private readonly logger: Logger,
    source: DataSource,
  ) {
    this.queries = { query: (sql, parameters) => source.query(sql, parameters && [...parameters]) };
  }

  /** Until none is due. */
  async run(signal: AbortSignal): Promise<void> {
    await this.tellWaiting();
    while (!signal.aborted) {
      const taken = await takeReplayRequest(this.queries, LEASE_SECONDS);
      if (!taken) return;
      await this.answer(taken);
      await this.tellWaiting();
    }
  }

  private async tellWaiting(): Promise<void> {
    const counts = await countReplayRequests(this.queries);
    gateReplaysWaiting.reset();
    for (const { model, waiting } of counts) gateReplaysWaiting.set({ model }, waiting);
  }

  private async answer(taken: TakenRequest): Promise<void> {
    const { request, tries } = taken;
    const told = await this.tell(request);
    if (told.kind === 'not-yet' && nowMicros() < request.deadlineMicros) {
      const untilDeadline = Math.max((request.deadlineMicros - nowMicros()) / 1e6, 0);
      const pause = Math.min(FIRST_PAUSE_SECONDS * 2 ** Math.min(tries - 1, 10), LONGEST_PAUSE_SECONDS);
      await tryLater(this.queries, request, Math.min(pause, untilDeadline));
      return;
    }
    await this.publish(taken, told);
  }

  private async tell(request: ReplayRequested): Promise<Told> {
    const { model, version, endpoint, sinceMicros, minimumRows, metric } = request;
    const until = performance.now() + LEASE_SECONDS * 1_000;
    const range = { fromEventTimeMicros: 0, toEventTimeMicros: 0, sinceMicros, slices: [], includeTraining: false };
    const notYet = (reason: string): Told => ({ kind: 'not-yet', reason });
    try {
      const answer = await this.replay.run({ endpoint, version, ...range }, () => until - performance.now());
      const { overall } = answer;
      if (answer.model !== model) return notYet(`endpoint "${endpoint}" is of model "${answer.model}"`);
      if (!overall || overall.rows < minimumRows) {
        return notYet(`${overall?.rows ?? 0} labelled requests outside of its training, ${minimumRows} are needed`);
      }
      const measured = metric === 'improvement' ? overall.improvement : overall.replayed[metric];
      if (!measured) return notYet(`a replay does not measure "${metric}"`);
      const end = request.bound === 'low' || request.bound === 'high' ? measured[request.bound] : measured.value;
      if (!Number.isFinite(end)) return notYet(`too few blocks of labels for an interval of ${metric}`);
      return { kind: 'measured', measured, answer };
    } catch (error) {
      // Most of what can be wrong passes: no labels yet, another replay runs, a version that is not known here yet.
      if (!(error instanceof DomainError)) this.logger.error({ err: error, model, version }, 'a replay failed');
      return notYet(error instanceof Error ? error.message : String(error));
    }
  }

  private async publish({ request, cause }: TakenRequest, told: Told): Promise<void> {
    const { model, version, gate, endpoint } = request;
    const done = told.kind === 'measured' ? told : undefined;
    const published = await this.work.run(async (transaction) => {
      if (!(await removeReplayRequest(transaction, request))) return false;
      const completed = {
        model,
        version,
        gate,
        endpoint,
        measured: done?.measured,
        rows: done?.answer.overall?.rows ?? 0,
        firstEventTimeMicros: done?.answer.firstEventTimeMicros ?? 0,
        lastEventTimeMicros: done?.answer.lastEventTimeMicros ?? 0,
        reason: told.kind === 'not-yet' ? told.reason : '',
      };
      transaction.publish(events.ReplayCompleted, completed, { cause });
      return true;
    });
    if (!published) return;
    gateReplaysTotal.inc({ model, outcome: done ? 'measured' : 'inconclusive' });
    this.logger.info({ model, version, gate, endpoint, outcome: told.kind }, 'a replay for a gate is answered');
  }
}
