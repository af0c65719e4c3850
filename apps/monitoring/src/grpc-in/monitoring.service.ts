import { DomainError } from '@headrace/contracts';
import type {
  CompareVersionsRequest,
  CompareVersionsResponse,
  GetMonitorRequest,
  GetMonitorResponse,
  MonitoringServiceServer,
  ReplayVersionRequest,
  ReplayVersionResponse,
} from '@headrace/contracts/proto/monitoring/v1/monitoring_service';
import type { CallContext, UnaryMethods } from '@headrace/grpc';
import { Injectable } from '@nestjs/common';
import { DataSource } from 'typeorm';
import { readDecisions } from '../database/decisions.repository';
import { readOutcomes } from '../database/outcomes.repository';
import { readCounters } from '../database/progress.repository';
import type { Queries } from '../database/sql';
import { readLastWindows, summaryOf } from '../database/windows.repository';
import { compareVersions } from '../domain/compare-versions';
import { ReplayVersion } from '../use-cases/replay-version';
import { WatchedMonitors } from '../watched-monitors';

const MOST_WINDOWS = 1_000;

@Injectable()
export class MonitoringGrpc implements UnaryMethods<MonitoringServiceServer> {
  private readonly queries: Queries;

  constructor(
    private readonly monitors: WatchedMonitors,
    private readonly replay: ReplayVersion,
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
      windows: windows.map(summaryOf),
      predictions: counters.predictions,
      labelsJoined: counters.joined,
      decisions: await readDecisions(this.queries, monitor.name, monitor.endpoint),
    };
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
    const { versions, sameRows } = compareVersions(rows, monitor.source.task, request.versions);
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
}
