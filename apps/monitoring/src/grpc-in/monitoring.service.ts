import { DomainError } from '@headrace/contracts';
import type {
  CompareVersionsRequest,
  CompareVersionsResponse,
  GetMonitorRequest,
  GetMonitorResponse,
  GetPredictionRequest,
  GetPredictionResponse,
  GetStatusResponse,
  MonitoringServiceServer,
  MonitorStatus,
  ReplayVersionRequest,
  ReplayVersionResponse,
  RetrainingState,
} from '@headrace/contracts/proto/monitoring/v1/monitoring_service';
import type { CallContext, UnaryMethods } from '@headrace/grpc';
import { Injectable } from '@nestjs/common';
import { DataSource } from 'typeorm';
import { readDecisions } from '../database/decisions.repository';
import { readDeployment } from '../database/deployments.repository';
import { readStates } from '../database/monitor-states.repository';
import { readLabelsOf, readOutcomes } from '../database/outcomes.repository';
import { findPredictionRef } from '../database/predictions.repository';
import { readCounters } from '../database/progress.repository';
import type { Queries } from '../database/sql';
import { readLastWindows, readNewestWindows, summariesOf, summaryOf } from '../database/windows.repository';
import { expectedRun } from '../domain/calibration';
import { compareVersions } from '../domain/compare-versions';
import { ReadLoop } from '../use-cases/read-loop';
import { ReadProgress } from '../use-cases/read-progress';
import { ReplayVersion } from '../use-cases/replay-version';
import { readRetraining } from '../use-cases/request-retraining';
import { WatchedMonitors, type WatchedMonitor } from '../watched-monitors';

const MOST_WINDOWS = 1_000;
const LONGEST_PREDICTION_ID = 128;

@Injectable()
export class MonitoringGrpc implements UnaryMethods<MonitoringServiceServer> {
  private readonly queries: Queries;

  constructor(
    private readonly monitors: WatchedMonitors,
    private readonly replay: ReplayVersion,
    private readonly readLoop: ReadLoop,
    private readonly readProgress: ReadProgress,
    source: DataSource,
  ) {
    this.queries = { query: (sql, parameters) => source.query(sql, parameters && [...parameters]) };
  }

  async getMonitor(request: GetMonitorRequest): Promise<GetMonitorResponse> {
    const monitor = this.monitors.all().find((candidate) => candidate.name === request.monitor);
    if (!monitor) {
      throw new DomainError('not-found', 'monitor_unknown', `monitor: "${request.monitor}" is not known here`);
    }
    const { lastWindows } = request;
    if (lastWindows < 0 || lastWindows > MOST_WINDOWS) {
      throw new DomainError(
        'invalid',
        'bad_range',
        `last_windows: found ${lastWindows}, expected 0 to ${MOST_WINDOWS}`,
      );
    }
    const counters = await readCounters(this.queries, monitor.endpoint);
    const windows = await readLastWindows(this.queries, monitor.name, lastWindows || 50);
    return {
      monitor: monitor.name,
      model: monitor.model,
      windows: summariesOf(windows),
      predictions: counters.predictions,
      labelsJoined: counters.joined,
      decisions: await readDecisions(this.queries, monitor.name, monitor.endpoint),
      retraining: await this.retrainingOf(monitor),
    };
  }

  private async retrainingOf(monitor: WatchedMonitor): Promise<RetrainingState | undefined> {
    const deployment = await readDeployment(this.queries, monitor.endpoint);
    if (!deployment) return undefined;
    const progress = await this.readProgress.run(this.queries, monitor);
    const decision = await readRetraining(this.queries, monitor, deployment, progress);
    if (!decision) return undefined;
    const { retraining, requestsWithoutPerson, rules } = decision;
    const bounds = { requestsWithoutPerson, maximumWithoutPerson: rules.maximumWithoutPerson };
    if (retraining.kind === 'no_signal') {
      const reason = `${rules.match} of ${rules.on.join(', ')}: not standing`;
      return { waits: 'no_signal', reason, untilMicros: undefined, ...bounds };
    }
    const { reason } = retraining;
    if (retraining.kind === 'request') return { waits: '', reason, untilMicros: undefined, ...bounds };
    return { waits: retraining.why, reason, untilMicros: retraining.untilMicros, ...bounds };
  }

  async compareVersions(request: CompareVersionsRequest): Promise<CompareVersionsResponse> {
    const { endpoint, fromEventTimeMicros: from, toEventTimeMicros: to } = request;
    const monitor = this.monitors.all().find((candidate) => candidate.endpoint === endpoint);
    if (!monitor) {
      throw new DomainError('invalid', 'endpoint_unknown', `endpoint: no monitor watches "${endpoint}"`);
    }
    if (to !== 0 && to <= from) {
      throw new DomainError(
        'invalid',
        'bad_range',
        `to_event_time_micros: found ${to}, expected 0 or more than ${from}`,
      );
    }
    const judged = { endpoint, source: monitor.source.id };
    const rows = await readOutcomes(this.queries, judged, from, to === 0 ? undefined : to);
    const { versions, sameRows } = compareVersions(
      rows,
      monitor.source.task,
      request.versions,
      monitor.spec.decisionThreshold,
    );
    return {
      versions: versions.map(({ version, rows: count, metrics }) => ({
        version,
        rows: count,
        metrics: { ...metrics },
      })),
      sameRows,
    };
  }

  replayVersion(request: ReplayVersionRequest, context: CallContext): Promise<ReplayVersionResponse> {
    return this.replay.run(request, () => context.remainingMs());
  }

  async getPrediction({ predictionId }: GetPredictionRequest): Promise<GetPredictionResponse> {
    if (predictionId.length === 0 || predictionId.length > LONGEST_PREDICTION_ID) {
      const message = `prediction_id: expected 1 to ${LONGEST_PREDICTION_ID} characters`;
      throw new DomainError('invalid', 'bad_prediction_id', message);
    }
    const found = await findPredictionRef(this.queries, predictionId);
    if (!found) {
      throw new DomainError('not-found', 'prediction_unknown', `prediction "${predictionId}" is not known here`);
    }
    const sources = new Set(this.monitors.all().map(({ source }) => source.id));
    return { served: found.ref, labels: await readLabelsOf(this.queries, predictionId, [...sources]) };
  }

  async getStatus(): Promise<GetStatusResponse> {
    const monitors = [...this.monitors.all()].sort((a, b) => (a.name < b.name ? -1 : 1));
    return { monitors: await Promise.all(monitors.map((monitor) => this.statusOf(monitor))) };
  }

  private async statusOf({ name, model, endpoint, spec }: WatchedMonitor): Promise<MonitorStatus> {
    const deployment = await readDeployment(this.queries, endpoint);
    const windows = await readNewestWindows(this.queries, name);
    const states = await readStates(this.queries, name);
    const counters = await readCounters(this.queries, endpoint);
    const drift = windows.find((window) => window.kind === 'drift');
    return {
      monitor: name,
      model,
      endpoint,
      championVersion: deployment?.championVersion ?? 0,
      standing: states.flatMap((state) => (state.signal ? [state.kind] : [])).sort(),
      windows: windows.map((window) => summaryOf(window, false)),
      expectedRun: spec.drift && expectedRun(drift?.falseAlarms, spec.drift.rule, spec),
      predictions: counters.predictions,
      labelsJoined: counters.joined,
      loop: await this.readLoop.run(model),
    };
  }
}
