// What use cases tell: to the log, to the metrics and to Kafka. Nothing here waits for anything.
import type { PredictionServed } from '@headrace/contracts/proto/inference/v1/inference_events';
import { processShard, type BulkPublisher, type Cause } from '@headrace/messaging';
import type { Logger } from '@headrace/service-kit';
import { deploymentActivated, modelLoadFailed } from './events-out/deployment-reports';
import type { Breach } from './domain/guardrails';
import { EventBuffer } from './events-out/event-buffer';
import { predictionServed } from './events-out/prediction-served';
import { ScoreReports, type RolloutIdentity } from './events-out/score-reports';
import type { GatewayMetrics } from './gateway-metrics';
import type { PredictionObserver } from './use-cases/answer-prediction';
import { Seldom } from './seldom';
import type { DeploymentReports } from './use-cases/follow-deployments';

const FLUSH_AT = 500;
const MAX_REPORTS = 10_000;

export class GatewayObserver implements PredictionObserver, DeploymentReports {
  private readonly predictions: EventBuffer;
  private readonly reports: EventBuffer;
  private readonly scores: ScoreReports;
  private readonly publishFaults = new Seldom();
  private readonly drops = new Seldom();
  private readonly versionFaults = new Seldom();

  constructor(
    private readonly options: {
      /** Names this process on the log: a new one each start, so that sequences may begin at 1. */
      readonly bootId: string;
      readonly publisher: BulkPublisher;
      readonly logger: Logger;
      readonly metrics: GatewayMetrics;
      readonly capacity: number;
      readonly flushEveryMs: number;
    },
  ) {
    const { publisher, bootId, capacity, flushEveryMs } = options;
    const onFault = (error: unknown, waiting: number): void => this.publishingFailed(error, waiting);
    this.predictions = new EventBuffer(publisher, {
      shard: processShard(bootId),
      capacity,
      flushEveryMs,
      flushAt: FLUSH_AT,
      onDropped: (count) => this.dropped(count),
      onFault,
    });
    this.reports = new EventBuffer(publisher, {
      shard: processShard(`${bootId}/deployments`),
      capacity: MAX_REPORTS,
      flushEveryMs: 1,
      flushAt: FLUSH_AT,
      onDropped: (count) => options.logger.error({ count }, 'deployment reports dropped'),
      onFault,
    });
    this.scores = new ScoreReports(bootId, (report) => this.reports.append(report));
  }

  get buffered(): number {
    return this.predictions.size;
  }

  served(event: PredictionServed, cause: Cause, trace: string | undefined): void {
    this.predictions.append(predictionServed(event, cause, trace));
  }

  featuresWaited(endpoint: string, seconds: number): void {
    this.options.metrics.featuresWaited(endpoint, seconds);
  }

  fallback(endpoint: string, reason: string): void {
    this.options.metrics.fallback(endpoint, reason);
  }

  versionFailed(endpoint: string, version: number, assigned: boolean, error: unknown): void {
    this.options.metrics.versionFailed(endpoint, version, assigned);
    this.versionFaults.tell((notTold) => {
      const fields = { err: error, endpoint, version, assigned, notTold };
      this.options.logger.error(fields, 'a version could not score a prediction');
    });
  }

  guarded(endpoint: string, breaches: readonly Breach[]): void {
    for (const { guardrail, action } of breaches) this.options.metrics.guarded(endpoint, guardrail, action);
  }

  versionAsked(rollout: RolloutIdentity, version: number, error: unknown): void {
    this.scores.note(rollout, version, error);
  }

  activated(report: Parameters<DeploymentReports['activated']>[0], cause: Cause): void {
    this.options.logger.info({ ...report, eventId: cause.eventId }, 'deployment activated');
    this.reports.append(deploymentActivated({ ...report, gateway: this.options.bootId }, cause));
  }

  loadFailed(report: Parameters<DeploymentReports['loadFailed']>[0], cause: Cause): void {
    this.options.logger.error({ ...report, eventId: cause.eventId }, 'a version could not be loaded');
    this.options.metrics.loadFailed(report.endpoint, report.code);
    this.reports.append(modelLoadFailed({ ...report, gateway: this.options.bootId }, cause));
  }

  async close(deadlineMs: number): Promise<void> {
    this.scores.flush();
    await Promise.all([this.predictions.close(deadlineMs), this.reports.close(deadlineMs)]);
  }

  private dropped(count: number): void {
    this.options.metrics.predictionsDropped(count);
    this.drops.tell(() =>
      this.options.logger.error(
        { buffered: this.buffered },
        'predictions are answered but not logged: the buffer is full',
      ),
    );
  }

  private publishingFailed(error: unknown, waiting: number): void {
    this.publishFaults.tell(() =>
      this.options.logger.warn({ err: error, waiting }, 'Kafka does not take events, they are kept and tried again'),
    );
  }
}
