// Reads the whole compacted topic of deployments, then follows it. No consumer group: every gateway reads everything. What
// was overtaken before the start is not followed, and what was served before the start goes on until all is read.
import { setTimeout as delay } from 'node:timers/promises';
import { events, topics } from '@headrace/contracts';
import { DeploymentChanged } from '@headrace/contracts/proto/registry/v1/registry_events';
import type { BroadcastSubscription, LogEvent, LogReader } from '@headrace/messaging';
import type { Logger } from '@headrace/service-kit';
import { readDeployment } from '../domain/deployment';
import type { PersonalData } from '../domain/prediction-log';
import type { FollowDeployments } from '../use-cases/follow-deployments';
import type { DeploymentCache } from '../serving/deployment-cache';
import type { ServingTable } from '../serving/serving-table';

const RETRY_MS = 1_000;

export class DeploymentsListener {
  private subscription: BroadcastSubscription | undefined;
  private stopped = false;
  /** Newest event of each endpoint, until all is read; undefined from then on. */
  private backlog: Map<string, LogEvent> | undefined = new Map();

  constructor(
    private readonly reader: LogReader,
    private readonly followDeployments: FollowDeployments,
    private readonly table: ServingTable,
    private readonly personal: PersonalData,
    private readonly cache: DeploymentCache | undefined,
    private readonly logger: Logger,
  ) {}

  /** What was kept on disk begins to be served. Number of endpoints. */
  async resume(): Promise<number> {
    const kept = (await this.cache?.read()) ?? [];
    for (const { changed, cause } of kept) {
      const reading = readDeployment(changed, cause);
      if (reading.kind !== 'deployment') continue;
      this.cache?.remember(reading.deployment, changed);
      this.followDeployments.resume(reading.deployment);
    }
    return kept.length;
  }

  /** Resolves when it reads; a broker that is away is waited for. */
  async start(): Promise<void> {
    while (!this.stopped) {
      try {
        const subscription = await this.reader.broadcast(topics.deployments.name, (event) => this.handle(event));
        this.subscription = subscription;
        await subscription.caughtUp;
        this.catchUp();
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
    const { endpoint } = event.data as DeploymentChanged;
    if (this.backlog) this.backlog.set(endpoint, event);
    else this.follow(event);
  }

  private catchUp(): void {
    const { backlog } = this;
    this.backlog = undefined;
    for (const event of backlog?.values() ?? []) this.follow(event);
    if (backlog) this.cache?.retain(new Set(backlog.keys()));
    this.table.markCaughtUp();
  }

  private follow(event: LogEvent): void {
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
    if (this.personal.lacksKey(reading.deployment)) {
      const message =
        'personal values that want a pseudonym are left out of the prediction log: set GATEWAY_PSEUDONYM_KEY';
      this.logger.warn({ endpoint, generation }, message);
    }
    this.cache?.remember(reading.deployment, changed);
    this.followDeployments.follow(reading.deployment);
  }
}
