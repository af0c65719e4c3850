// What is counted and logged of requests by tensor: metrics for Prometheus, and the protocol's own statistics.
import { status } from '@grpc/grpc-js';
import { DomainError } from '@headrace/contracts';
import { statusOf } from '@headrace/grpc';
import type { Deployment } from './domain/deployment';
import type { Breach } from './domain/guardrails';
import type { GatewayMetrics, Protocol, RequestMeter } from './gateway-metrics';
import type { LoadedVersion } from './models/version-pool';
import { Seldom } from './seldom';
import type { ActiveDeployment, ServedVersion } from './serving/active-deployment';
import type { TensorObserver } from './use-cases/infer-tensors';

/** Requests of one endpoint that one loaded version answered; times in seconds. */
export interface RequestTotals {
  succeeded: number;
  succeededSeconds: number;
  failed: number;
  failedSeconds: number;
  rows: number;
  /** Milliseconds since 1970; 0: never. */
  lastMs: number;
}

/** For all protocols together. */
export class RequestStatistics {
  private readonly totals = new WeakMap<LoadedVersion, Map<string, RequestTotals>>();

  of({ deployment }: ActiveDeployment, { loaded }: ServedVersion): RequestTotals {
    let byEndpoint = this.totals.get(loaded);
    if (!byEndpoint) this.totals.set(loaded, (byEndpoint = new Map()));
    let totals = byEndpoint.get(deployment.endpoint);
    if (!totals) {
      totals = { succeeded: 0, succeededSeconds: 0, failed: 0, failedSeconds: 0, rows: 0, lastMs: 0 };
      byEndpoint.set(deployment.endpoint, totals);
    }
    return totals;
  }
}

interface Counted {
  readonly meter: RequestMeter;
  readonly totals: RequestTotals;
}

/** One for each protocol. */
export class OpenInferenceObserver implements TensorObserver {
  private readonly counted = new WeakMap<ServedVersion, Counted>();
  private readonly failures = new Seldom();
  private readonly canaryFailures = new Seldom();

  constructor(
    private readonly options: {
      readonly protocol: Protocol;
      readonly metrics: GatewayMetrics;
      readonly statistics: RequestStatistics;
      /** What goes to Kafka. */
      readonly events: Pick<TensorObserver, 'versionAsked' | 'guarded'>;
      readonly log: { error(fields: object, message: string): void };
      readonly nowMs: () => number;
    },
  ) {}

  answered(active: ActiveDeployment, version: ServedVersion, rows: number, seconds: number): void {
    const { meter, totals } = this.countedOf(active, version);
    meter.observe(status.OK, seconds);
    totals.succeeded += 1;
    totals.succeededSeconds += seconds;
    totals.rows += rows;
    totals.lastMs = this.options.nowMs();
  }

  refused(
    active: ActiveDeployment | undefined,
    version: ServedVersion | undefined,
    error: unknown,
    seconds: number,
  ): void {
    const { metrics, protocol, log } = this.options;
    if (!(error instanceof DomainError)) {
      this.failures.tell((notTold) => log.error({ err: error, protocol, notTold }, 'an inference request failed'));
    }
    const { code } = statusOf(error);
    // Names that nobody deployed are no labels: callers could make any number of them.
    if (!active) metrics.meter(protocol, 'unknown', '').observe(code, seconds);
    else if (!version) metrics.meter(protocol, active.deployment.endpoint, '').observe(code, seconds);
    else {
      const { meter, totals } = this.countedOf(active, version);
      meter.observe(code, seconds);
      totals.failed += 1;
      totals.failedSeconds += seconds;
    }
  }

  canaryFailed(endpoint: string, version: number, error: unknown): void {
    this.canaryFailures.tell((notTold) => {
      const fields = { err: error, endpoint, version, notTold };
      this.options.log.error(fields, 'the canary failed, the champion answers');
    });
  }

  versionFailed(endpoint: string, version: number): void {
    this.options.metrics.versionFailed(endpoint, version, true);
  }

  guarded(endpoint: string, breaches: readonly Breach[]): void {
    this.options.events.guarded(endpoint, breaches);
  }

  versionAsked(rollout: Deployment, version: number, error: unknown): void {
    this.options.events.versionAsked(rollout, version, error);
  }

  private countedOf(active: ActiveDeployment, version: ServedVersion): Counted {
    let counted = this.counted.get(version);
    if (!counted) {
      const { metrics, protocol, statistics } = this.options;
      counted = {
        meter: metrics.meter(protocol, active.deployment.endpoint, String(version.number)),
        totals: statistics.of(active, version),
      };
      this.counted.set(version, counted);
    }
    return counted;
  }
}
