import { DomainError } from '@headrace/contracts';
import { DeploymentChanged } from '@headrace/contracts/proto/registry/v1/registry_events';
import type { StartRolloutRequest, StartRolloutResponse } from '@headrace/contracts/proto/registry/v1/registry_service';
import { DefinitionReader } from '@headrace/definition-store';
import { UNIT_OF_WORK, type UnitOfWork } from '@headrace/messaging';
import { Inject, Injectable } from '@nestjs/common';
import { EndpointsRepository } from '../database/endpoints.repository';
import { VersionsRepository } from '../database/versions.repository';
import { takeDecisionLock } from './decision-lock';
import { requireReason } from './reason';
import { RollOut } from './roll-out';
import { validatedVersion } from './validated-version';

/** An operator rolls a version out: the way to production of models whose promotion is manual, and back to older versions. */
@Injectable()
export class StartRollout {
  constructor(
    @Inject(UNIT_OF_WORK) private readonly work: UnitOfWork,
    private readonly versions: VersionsRepository,
    private readonly endpoints: EndpointsRepository,
    private readonly definitions: DefinitionReader,
    private readonly rollOut: RollOut,
  ) {}

  async run(request: StartRolloutRequest, actor: string): Promise<StartRolloutResponse> {
    const { endpoint: name, version } = request;
    const reason = requireReason(request.reason);
    const endpoint = this.definitions.get('Endpoint', name);
    if (!endpoint) throw new DomainError('not-found', 'unknown_endpoint', `endpoint: there is no Endpoint "${name}"`);
    const { model } = endpoint.definition.spec;
    const decision = await this.work.run(async (transaction) => {
      await takeDecisionLock(transaction);
      const { state, validatedEvent } = await validatedVersion(this.versions, transaction, model, version);
      const decider = { actor, reason, cause: validatedEvent };
      return this.rollOut.offer(transaction, endpoint, { version, byWaiver: state === 'waived' }, decider);
    });
    if (decision.kind === 'known') {
      const message = `version ${version} is deployed, rolling out or waiting on endpoint ${name} already`;
      throw new DomainError('precondition', 'version_known', message);
    }
    if (decision.kind === 'superseded') {
      const message = `version ${decision.by} waits on endpoint ${name} for the end of the rollout and is newer`;
      throw new DomainError('precondition', 'version_superseded', message);
    }
    const found = await this.endpoints.withHistory(name);
    return {
      waits: decision.kind === 'waits',
      desired: found?.desired ?? DeploymentChanged.fromPartial({ endpoint: name }),
    };
  }
}
