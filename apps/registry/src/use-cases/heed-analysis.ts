import {
  RolloutVerdict,
  rolloutVerdictToJSON,
  type RolloutAnalysisCompleted,
} from '@headrace/contracts/proto/monitoring/v1/monitoring_events';
import type { Outcome, ReceivedEvent, Transaction } from '@headrace/messaging';
import { LOGGER, type Logger } from '@headrace/service-kit';
import { Inject, Injectable } from '@nestjs/common';
import { EndpointsRepository } from '../database/endpoints.repository';
import { isCurrent } from '../domain/endpoint';
import type { Signal } from '../domain/rollout';
import { takeDecisionLock } from './decision-lock';
import { POLICY, RollOut } from './roll-out';

/** What a rollout hears in a verdict. */
const SIGNAL_OF: Readonly<Record<RolloutVerdict, Signal>> = {
  [RolloutVerdict.UNSPECIFIED]: 'verdict-none',
  [RolloutVerdict.PROMOTE]: 'verdict-promote',
  [RolloutVerdict.ROLL_BACK]: 'verdict-roll-back',
  [RolloutVerdict.HOLD]: 'verdict-none',
  [RolloutVerdict.INCONCLUSIVE]: 'verdict-none',
};

/** A verdict about the rollout and step in progress moves it; every verdict is kept. */
@Injectable()
export class HeedAnalysis {
  constructor(
    private readonly endpoints: EndpointsRepository,
    private readonly rollOut: RollOut,
    @Inject(LOGGER) private readonly logger: Logger,
  ) {}

  async run(event: ReceivedEvent<RolloutAnalysisCompleted>, transaction: Transaction): Promise<Outcome> {
    const analysis = event.data;
    const { endpoint, rolloutId, step, verdict, reason } = analysis;
    await takeDecisionLock(transaction);
    const { eventId, correlationId, traceparent } = event;
    const cause = { eventId, correlationId, ...(traceparent === undefined ? {} : { traceparent }) };
    await this.endpoints.keepAnalysis(transaction, {
      eventId,
      rolloutId,
      endpoint,
      step,
      verdict: rolloutVerdictToJSON(verdict),
      improvement: analysis.improvement ?? null,
      pairs: analysis.pairs,
      reason,
      cause,
      atMicros: event.timeMicros,
    });
    const { state } = await this.endpoints.load(transaction, endpoint);
    if (!isCurrent(state, analysis)) {
      this.logger.info({ endpoint, rolloutId, step }, 'an analysis of another rollout or step is not heeded');
      return { kind: 'done' };
    }
    await this.rollOut.hear(transaction, endpoint, SIGNAL_OF[verdict], { actor: POLICY, reason, cause });
    return { kind: 'done' };
  }
}
