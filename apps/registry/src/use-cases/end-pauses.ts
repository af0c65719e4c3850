import { RolloutVerdict, rolloutVerdictToJSON } from '@headrace/contracts/proto/monitoring/v1/monitoring_events';
import { UNIT_OF_WORK, type Transaction, type UnitOfWork } from '@headrace/messaging';
import { Inject, Injectable } from '@nestjs/common';
import { EndpointsRepository } from '../database/endpoints.repository';
import { takeDecisionLock } from './decision-lock';
import { POLICY, RollOut } from './roll-out';

const PROMOTE = rolloutVerdictToJSON(RolloutVerdict.PROMOTE);

/** A step that has its verdict ends when its pause is over. What it waits for stands in the database: restarts lose nothing. */
@Injectable()
export class EndPauses {
  constructor(
    @Inject(UNIT_OF_WORK) private readonly work: UnitOfWork,
    private readonly endpoints: EndpointsRepository,
    private readonly rollOut: RollOut,
  ) {}

  /** Looks at every rollout that waits for its pause; one that cannot go on does not hold up the others. */
  async run(): Promise<void> {
    const faults: unknown[] = [];
    for (const endpoint of await this.endpoints.passedSteps()) {
      const looked = this.work.run(async (transaction) => {
        await takeDecisionLock(transaction);
        await this.look(transaction, endpoint);
      });
      await looked.catch((error: unknown) => faults.push(error));
    }
    if (faults.length > 0) throw new AggregateError(faults, 'rollouts that could not go on');
  }

  /** The decision lock is held. What follows is caused by the verdict that the step had. */
  async look(transaction: Transaction, endpoint: string): Promise<void> {
    const { row, state } = await this.endpoints.load(transaction, endpoint);
    if (!row || !state.rollout) return;
    const verdict = await this.endpoints.lastAnalysis(transaction, state.rollout, PROMOTE);
    await this.rollOut.hear(transaction, endpoint, 'look', {
      actor: POLICY,
      reason: verdict?.reason ?? `the time of step ${state.rollout.step} is over`,
      cause: verdict?.cause ?? row.deploymentEvent,
    });
  }
}
