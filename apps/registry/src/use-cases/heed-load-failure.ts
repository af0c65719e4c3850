import type { ModelLoadFailed } from '@headrace/contracts/proto/inference/v1/inference_events';
import type { Outcome, ReceivedEvent, Transaction } from '@headrace/messaging';
import { LOGGER, type Logger } from '@headrace/service-kit';
import { Inject, Injectable } from '@nestjs/common';
import { EndpointsRepository } from '../database/endpoints.repository';
import { concernsCandidate } from '../domain/endpoint';
import { takeDecisionLock } from './decision-lock';
import { POLICY, RollOut } from './roll-out';

/** A canary that a gateway cannot load is rolled back at once. */
@Injectable()
export class HeedLoadFailure {
  constructor(
    private readonly endpoints: EndpointsRepository,
    private readonly rollOut: RollOut,
    @Inject(LOGGER) private readonly logger: Logger,
  ) {}

  async run(event: ReceivedEvent<ModelLoadFailed>, transaction: Transaction): Promise<Outcome> {
    const { endpoint, version, code, message, gateway } = event.data;
    await takeDecisionLock(transaction);
    const { state } = await this.endpoints.load(transaction, endpoint);
    if (!concernsCandidate(state, event.data)) {
      this.logger.warn({ endpoint, version, gateway, code }, 'a gateway could not load a version that is no canary');
      return { kind: 'done' };
    }
    const reason = `gateway ${gateway} could not load version ${version}: ${code}: ${message}`;
    await this.rollOut.hear(transaction, endpoint, 'load-failed', { actor: POLICY, reason, cause: event });
    return { kind: 'done' };
  }
}
