// Reads the whole compacted topic of deployments, then follows it. No consumer group: every gateway reads everything.
import { setTimeout as delay } from 'node:timers/promises';
import { events, topics } from '@headrace/contracts';
import { DeploymentChanged } from '@headrace/contracts/proto/registry/v1/registry_events';
import type { BroadcastSubscription, LogEvent, LogReader } from '@headrace/messaging';
import type { Logger } from '@headrace/service-kit';
import { readDeployment } from '../domain/deployment';
import type { FollowDeployments } from '../use-cases/follow-deployments';
import type { ServingTable } from '../serving/serving-table';

const RETRY_MS = 1_000;

export class DeploymentsListener {
  private subscription: BroadcastSubscription | undefined;
  private stopped = false;

  constructor(
    private readonly reader: LogReader,
    private readonly followDeployments: FollowDeployments,
    private readonly table: ServingTable,
    private readonly logger: Logger,
  ) {}

  /** Resolves when it reads; a broker that is away is waited for. */
  async start(): Promise<void> {
    while (!this.stopped) {
      try {
        const subscription = await this.reader.broadcast(topics.deployments.name, (event) => this.handle(event));
        this.subscription = subscription;
        await subscription.caughtUp;
        this.table.markCaughtUp();
        return;
      } catch (error) {
        this.logger.warn({ err: error }, 'the deployments topic cannot be read yet');
      }
      await delay(RETRY_MS);
    }
  }

  async stop(): Promise<void> {
    this.stopped = true;
    await this.subscription?.close();
  }

  private handle(event: LogEvent): void {
    if (event.type !== events.DeploymentChanged.type) return;
    // The reader decoded it by its type.
    const changed = event.data as DeploymentChanged;
    const { eventId, correlationId, traceparent } = event;
    const cause = { eventId, correlationId, ...(traceparent === undefined ? {} : { traceparent }) };
    const reading = readDeployment(changed, cause);
    const { endpoint, generation } = changed;
    if (reading.kind === 'unusable') {
      this.logger.error(
        { endpoint, generation, code: reading.code },
        `deployment cannot be followed: ${reading.message}`,
      );
      this.followDeployments.reject(changed, reading, cause);
      return;
    }
    this.logger.info({ endpoint, generation, eventId: event.eventId }, 'deployment read');
    this.followDeployments.follow(reading.deployment);
  }
}
