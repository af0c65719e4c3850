// Prometheus metrics. Requests are the hot path: what is counted for each is bound to its labels beforehand.
import { status } from '@grpc/grpc-js';
import { speakOpenMetrics } from '@headrace/tracing';
import { Counter, Gauge, Histogram, register, type Registry } from 'prom-client';

const LATENCY_BUCKETS = [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5];

export type Protocol = 'open_inference' | 'open_inference_stream' | 'open_inference_rest' | 'predict';

/** One version of one endpoint (version "" = none answered), for one protocol. */
export interface RequestMeter {
  /** `exemplar`: what leads to this one request. */
  observe(code: status, seconds: number, exemplar?: Readonly<Record<string, string>>): void;
}

export class GatewayMetrics {
  private readonly requests;
  private readonly durations;
  private readonly batchRows;
  private readonly fallbacks;
  private readonly featureWait;
  private readonly dropped;
  private readonly loadFailures;
  private readonly versionFailures;
  private readonly guardrails;
  private readonly circuit;
  private readonly turnedAwayCounter;
  private readonly processDeaths;
  private readonly meters = new Map<string, RequestMeter>();

  constructor(private readonly registry: Registry = register) {
    speakOpenMetrics(registry);
    const registers = [registry];
    this.requests = new Counter({
      name: 'headrace_gateway_requests_total',
      help: 'Requests by endpoint, version that answered, protocol and gRPC code.',
      labelNames: ['endpoint', 'version', 'protocol', 'code'],
      registers,
    });
    this.durations = new Histogram({
      name: 'headrace_gateway_request_duration_seconds',
      help: 'From the decoded request to the answer.',
      labelNames: ['endpoint', 'version', 'protocol'],
      buckets: LATENCY_BUCKETS,
      enableExemplars: true,
      registers,
    });
    this.batchRows = new Histogram({
      name: 'headrace_gateway_batch_rows',
      help: 'Rows that were run together.',
      labelNames: ['model', 'version'],
      buckets: [1, 2, 4, 8, 16, 32, 64, 128, 256],
      registers,
    });
    this.fallbacks = new Counter({
      name: 'headrace_gateway_fallbacks_total',
      help: 'Answers by the declared fallback.',
      labelNames: ['endpoint', 'reason'],
      registers,
    });
    this.featureWait = new Histogram({
      name: 'headrace_gateway_feature_wait_seconds',
      help: 'What a prediction waited for its features.',
      labelNames: ['endpoint'],
      buckets: LATENCY_BUCKETS,
      registers,
    });
    this.dropped = new Counter({
      name: 'headrace_gateway_predictions_dropped_total',
      help: 'Predictions that were answered but not logged, because the buffer was full or could not be emptied.',
      registers,
    });
    this.loadFailures = new Counter({
      name: 'headrace_gateway_model_load_failures_total',
      help: 'Versions that could not be loaded, by reason.',
      labelNames: ['endpoint', 'code'],
      registers,
    });
    this.versionFailures = new Counter({
      name: 'headrace_gateway_version_failures_total',
      help: 'Predictions that a version could not score; assigned = it should have answered.',
      labelNames: ['endpoint', 'version', 'assigned'],
      registers,
    });
    this.guardrails = new Counter({
      name: 'headrace_gateway_guardrails_total',
      help: 'Doubtful answers by the guardrail that found them and what it declares.',
      labelNames: ['endpoint', 'guardrail', 'action'],
      registers,
    });
    this.turnedAwayCounter = new Counter({
      name: 'headrace_gateway_turned_away_total',
      help: 'Requests that were refused or left the queue before they were run, by reason.',
      labelNames: ['model', 'version', 'reason'],
      registers,
    });
    this.processDeaths = new Counter({
      name: 'headrace_gateway_model_process_deaths_total',
      help: 'Processes that ran models and died: own = of one version that is not promoted, shared = of promoted ones.',
      labelNames: ['place', 'code'],
      registers,
    });
    this.circuit = new Gauge({
      name: 'headrace_gateway_feature_store_circuit_open',
      help: '1 while nobody waits for the feature store.',
      registers,
    });
  }

  /** Read at each scrape. */
  observeState(state: {
    logBuffered(): number;
    residentBytes(): number;
    residentModels(): number;
    versions(): {
      endpoint: string;
      version: string;
      role: string;
      weight: number;
      place: string;
      queuedRows: number;
      queueLimit: number;
    }[];
  }): void {
    const registers = [this.registry];
    new Gauge({
      name: 'headrace_gateway_prediction_log_buffered',
      help: 'Predictions that Kafka has not acknowledged yet.',
      registers,
      collect() {
        this.set(state.logBuffered());
      },
    });
    new Gauge({
      name: 'headrace_gateway_models_resident',
      help: 'Promoted models that are in memory; the others are loaded when they are asked.',
      registers,
      collect() {
        this.set(state.residentModels());
      },
    });
    new Gauge({
      name: 'headrace_gateway_models_resident_bytes',
      help: 'Memory that they take, as measured when they were validated.',
      registers,
      collect() {
        this.set(state.residentBytes());
      },
    });
    new Gauge({
      name: 'headrace_gateway_queue_rows',
      help: 'Rows that wait for a version.',
      labelNames: ['endpoint', 'version'],
      registers,
      collect() {
        this.reset();
        for (const { endpoint, version, queuedRows } of state.versions()) this.set({ endpoint, version }, queuedRows);
      },
    });
    new Gauge({
      name: 'headrace_gateway_queue_limit_rows',
      help: 'Rows that may wait for a version now; it falls while the queue does not empty.',
      labelNames: ['endpoint', 'version'],
      registers,
      collect() {
        this.reset();
        for (const { endpoint, version, queueLimit } of state.versions()) this.set({ endpoint, version }, queueLimit);
      },
    });
    new Gauge({
      name: 'headrace_gateway_version_place',
      help: '1: here = in the gateway, shared = in a process of promoted versions, own = in a process of its own.',
      labelNames: ['endpoint', 'version', 'place'],
      registers,
      collect() {
        this.reset();
        for (const { endpoint, version, place } of state.versions()) this.set({ endpoint, version, place }, 1);
      },
    });
    new Gauge({
      name: 'headrace_gateway_version_weight_percent',
      help: 'Versions that are loaded and the share of requests that each answers.',
      labelNames: ['endpoint', 'version', 'role'],
      registers,
      collect() {
        this.reset();
        for (const { endpoint, version, role, weight } of state.versions())
          this.set({ endpoint, version, role }, weight);
      },
    });
  }

  meter(protocol: Protocol, endpoint: string, version: string): RequestMeter {
    const key = `${protocol} ${version} ${endpoint}`;
    const known = this.meters.get(key);
    if (known) return known;
    const labels = { endpoint, version, protocol };
    const durations = this.durations.labels(labels);
    const codes = new Map<status, Counter.Internal>();
    const meter: RequestMeter = {
      observe: (code, seconds, exemplarLabels) => {
        let counter = codes.get(code);
        if (!counter) {
          counter = this.requests.labels({ endpoint, version, protocol, code: status[code] });
          codes.set(code, counter);
        }
        counter.inc();
        if (exemplarLabels) this.durations.observe({ labels, value: seconds, exemplarLabels: { ...exemplarLabels } });
        else durations.observe(seconds);
      },
    };
    this.meters.set(key, meter);
    return meter;
  }

  batch(model: string, version: number): (rows: number) => void {
    const rows = this.batchRows.labels({ model, version: String(version) });
    return (count) => rows.observe(count);
  }

  turnedAway(model: string, version: number): (reason: string) => void {
    const counters = new Map<string, Counter.Internal>();
    return (reason) => {
      let counter = counters.get(reason);
      if (!counter) {
        counter = this.turnedAwayCounter.labels({ model, version: String(version), reason });
        counters.set(reason, counter);
      }
      counter.inc();
    };
  }

  /** Refused by its headers: the endpoint is not known yet. */
  callerThrottled(protocol: Protocol): void {
    this.meter(protocol, 'unknown', '').observe(status.RESOURCE_EXHAUSTED, 0);
    this.turnedAwayCounter.inc({ model: 'unknown', version: '', reason: 'caller_throttled' });
  }

  modelProcessDied(place: string, code: string): void {
    this.processDeaths.inc({ place, code });
  }

  fallback(endpoint: string, reason: string): void {
    this.fallbacks.inc({ endpoint, reason });
  }

  featuresWaited(endpoint: string, seconds: number): void {
    this.featureWait.observe({ endpoint }, seconds);
  }

  predictionsDropped(count: number): void {
    this.dropped.inc(count);
  }

  loadFailed(endpoint: string, code: string): void {
    this.loadFailures.inc({ endpoint, code });
  }

  versionFailed(endpoint: string, version: number, assigned: boolean): void {
    this.versionFailures.inc({ endpoint, version: String(version), assigned: String(assigned) });
  }

  guarded(endpoint: string, guardrail: string, action: string): void {
    this.guardrails.inc({ endpoint, guardrail, action });
  }

  circuitOpen(open: boolean): void {
    this.circuit.set(open ? 1 : 0);
  }
}
