import { DomainError } from '@headrace/contracts';
import { DeploymentChanged } from '@headrace/contracts/proto/registry/v1/registry_events';
import {
  RolloutControl,
  type ControlRolloutRequest,
  type ControlRolloutResponse,
} from '@headrace/contracts/proto/registry/v1/registry_service';
import { UNIT_OF_WORK, type UnitOfWork } from '@headrace/messaging';
import { Inject, Injectable } from '@nestjs/common';
import { EndpointsRepository } from '../database/endpoints.repository';
import type { Signal } from '../domain/rollout';
import { takeDecisionLock } from './decision-lock';
import { EndPauses } from './end-pauses';
import { requireReason } from './reason';
import { RollOut } from './roll-out';

const SIGNAL_OF: Readonly<Record<RolloutControl, Signal | undefined>> = {
  [RolloutControl.UNSPECIFIED]: undefined,
  [RolloutControl.PAUSE]: 'operator-pause',
  [RolloutControl.RESUME]: 'operator-resume',
  [RolloutControl.PROMOTE]: 'operator-promote',
  [RolloutControl.ABORT]: 'operator-abort',
};

/** An operator pauses, resumes, promotes or aborts the rollout in progress. */
@Injectable()
export class ControlRollout {
  constructor(
    @Inject(UNIT_OF_WORK) private readonly work: UnitOfWork,
    private readonly endpoints: EndpointsRepository,
    private readonly rollOut: RollOut,
    private readonly endPauses: EndPauses,
  ) {}

  async run(request: ControlRolloutRequest, actor: string): Promise<ControlRolloutResponse> {
    const { endpoint } = request;
    const signal = SIGNAL_OF[request.control];
    if (!signal) {
      throw new DomainError('invalid', 'control_missing', 'control: expected PAUSE, RESUME, PROMOTE or ABORT');
    }
    const reason = requireReason(request.reason);
    await this.work.run(async (transaction) => {
      await takeDecisionLock(transaction);
      const { row } = await this.endpoints.load(transaction, endpoint);
      if (!row) throw new DomainError('not-found', 'unknown_endpoint', `endpoint "${endpoint}" has nothing deployed`);
      // The command follows from what stands: so the chain of causation goes on.
      const cause = row.deploymentEvent;
      const decision = await this.rollOut.hear(transaction, endpoint, signal, { actor, reason, cause });
      if (decision.kind === 'idle') {
        throw new DomainError('precondition', 'no_rollout', `endpoint ${endpoint} has no rollout in progress`);
      }
      if (decision.kind === 'refused') throw new DomainError('precondition', 'rollout_refuses', decision.message);
      // It may have been all that the step waited for.
      if (signal === 'operator-resume') await this.endPauses.look(transaction, endpoint);
    });
    const found = await this.endpoints.withHistory(endpoint);
    return { desired: found?.desired ?? DeploymentChanged.fromPartial({ endpoint }) };
  }
}
