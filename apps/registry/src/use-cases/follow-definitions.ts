import { DeploymentChanged } from '@headrace/contracts/proto/registry/v1/registry_events';
import { DefinitionReader } from '@headrace/definition-store';
import { UNIT_OF_WORK, type Transaction, type UnitOfWork } from '@headrace/messaging';
import { LOGGER, type Logger } from '@headrace/service-kit';
import { Inject, Injectable, type OnApplicationBootstrap } from '@nestjs/common';
import { EndpointsRepository } from '../database/endpoints.repository';
import { VersionsRepository } from '../database/versions.repository';
import { takeDecisionLock } from './decision-lock';
import { POLICY, RollOut } from './roll-out';

/**
 * Endpoints follow their definitions: a new endpoint gets the champion (or the newest version that may serve), a changed
 * one is published with its new behaviour. Idempotent: every instance does it, once is enough.
 */
@Injectable()
export class FollowDefinitions implements OnApplicationBootstrap {
  private following = Promise.resolve();

  constructor(
    private readonly definitions: DefinitionReader,
    @Inject(UNIT_OF_WORK) private readonly work: UnitOfWork,
    private readonly endpoints: EndpointsRepository,
    private readonly versions: VersionsRepository,
    private readonly rollOut: RollOut,
    @Inject(LOGGER) private readonly logger: Logger,
  ) {}

  async onApplicationBootstrap(): Promise<void> {
    // Handlers decide by definitions: none may run before they are known.
    await this.definitions.ready;
    this.definitions.onChange('Endpoint', ({ definition }) => this.follow(definition.metadata.name));
    this.definitions.onChange('Model', (model) => {
      for (const endpoint of this.definitions.all('Endpoint')) {
        if (endpoint.definition.spec.model === model.definition.metadata.name)
          this.follow(endpoint.definition.metadata.name);
      }
    });
  }

  private follow(name: string): void {
    this.following = this.following
      .then(() => this.work.run((transaction) => this.bringInLine(transaction, name)))
      .catch((error: unknown) => {
        this.logger.error({ err: error, endpoint: name }, 'an endpoint could not follow its definition');
      });
  }

  private async bringInLine(transaction: Transaction, name: string): Promise<void> {
    await takeDecisionLock(transaction);
    const endpoint = this.definitions.get('Endpoint', name);
    if (!endpoint) return;
    const { model } = endpoint.definition.spec;
    const { row } = await this.endpoints.load(transaction, name);
    if (row) {
      if (DeploymentChanged.fromJSON(row.desired).behaviour?.endpointVersion === endpoint.version) return;
      const reason = 'the Endpoint definition changed';
      return this.rollOut.reconfigure(transaction, endpoint, { actor: POLICY, reason, cause: row.deploymentEvent });
    }
    if (this.definitions.get('Model', model)?.definition.spec.promotion !== 'automatic') return;
    const champion = await this.versions.aliased(transaction, model, 'champion');
    const version = champion
      ? await this.versions.find(transaction, model, champion)
      : await this.versions.newestServable(transaction, model);
    if (!version?.validatedEvent) return;
    const offered = { version: version.version, byWaiver: version.state === 'waived' };
    const decider = { actor: POLICY, reason: 'a new endpoint of the model', cause: version.validatedEvent };
    await this.rollOut.offer(transaction, endpoint, offered, decider);
  }
}
