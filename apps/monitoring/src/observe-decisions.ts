import { parseDuration } from '@headrace/event-time';
import { Injectable } from '@nestjs/common';
import type { Gauge } from 'prom-client';
import type { ClosedWindow } from './database/windows.repository';
import { expectedRun } from './domain/calibration';
import type { Evidence } from './domain/evidence';
import { isEnough } from './domain/live-reference';
import { OBSTACLES, type RetrainingDecision, type SignalKind } from './domain/retraining-policy';
import type { AnalysisState, Verdict } from './domain/rollout-analysis';
import { confidenceSequence } from '@headrace/statistics';
import {
  canaryImprovement,
  canaryPairs,
  driftStatistic,
  driftThreshold,
  errorDetections,
  estimatedPerformance,
  falseAlarmRun,
  performanceBound,
  performanceReference,
  performanceValue,
  requestsWithoutPerson,
  retrainingHeld,
  retrainingRequestsTotal,
  signalStands,
  slicePerformance,
  sliceRows,
  uncalibratedTests,
  verdictsTotal,
  windowsTotal,
} from './monitoring-metrics';
import type { WatchedMonitor } from './watched-monitors';

interface Shared {
  readonly monitor: string;
  readonly model: string;
}

interface Series {
  readonly gauge: Gauge;
  readonly labels: Readonly<Record<string, string>>;
}

/** Metrics of windows, told after the commit. */
@Injectable()
export class WindowMetrics {
  /** Series of slices that stand, by monitor and kind of window. */
  private readonly shown = new Map<string, readonly Series[]>();

  begun(monitor: WatchedMonitor, kind: SignalKind): void {
    signalStands.set({ monitor: monitor.name, model: monitor.model, signal: kind }, 0);
  }

  closed(monitor: WatchedMonitor, window: ClosedWindow, stands: boolean): void {
    const lacksReference = window.reference !== undefined && !isEnough(window.reference);
    const outcome = window.judged ? 'judged' : lacksReference ? 'no_reference' : 'skipped';
    windowsTotal.inc({ monitor: monitor.name, kind: window.kind, outcome });
    this.show(monitor, window);
    this.signal(monitor, window.kind, stands);
  }

  /** Gauges show it only when no newer window of its kind was judged. */
  revised(
    monitor: WatchedMonitor,
    window: ClosedWindow,
    { isNewest, stands }: { isNewest: boolean; stands: boolean },
  ): void {
    windowsTotal.inc({ monitor: monitor.name, kind: window.kind, outcome: 'revised' });
    if (isNewest) this.show(monitor, window);
    this.signal(monitor, window.kind, stands);
  }

  /** The gauges of a window; also at start, of the last ones. */
  show(monitor: WatchedMonitor, window: ClosedWindow): void {
    if (!window.judged) return;
    const shared = { monitor: monitor.name, model: monitor.model };
    const version = String(window.version);
    for (const evidence of window.evidence) this[window.kind](shared, version, evidence);
    this.slices(shared, window);
    if (window.kind !== 'drift') return;
    uncalibratedTests.set(shared, window.evidence.filter(({ threshold }) => !Number.isFinite(threshold)).length);
    const rule = monitor.spec.drift?.rule;
    const run = rule && expectedRun(window.falseAlarms, rule, parseDuration(monitor.spec.window));
    if (run) falseAlarmRun.set({ ...shared, signal: window.kind }, run.seconds);
    else falseAlarmRun.remove({ ...shared, signal: window.kind });
  }

  private drift(shared: Shared, _version: string, { subject, statistic, value, threshold }: Evidence): void {
    driftStatistic.set({ ...shared, subject, statistic }, value);
    if (threshold > 0 && Number.isFinite(threshold)) driftThreshold.set({ ...shared, subject, statistic }, threshold);
  }

  private estimate(shared: Shared, version: string, { statistic, value, low, high }: Evidence): void {
    const labels = { ...shared, version, metric: statistic };
    for (const [bound, at] of Object.entries({ value, low, high })) {
      if (at !== undefined) estimatedPerformance.set({ ...labels, bound }, at);
    }
  }

  private performance(shared: Shared, version: string, { statistic, value, reference, low, high }: Evidence): void {
    const labels = { ...shared, version, metric: statistic };
    performanceValue.set(labels, value);
    if (!Number.isNaN(reference)) performanceReference.set(labels, reference);
    for (const [bound, at] of Object.entries({ low, high })) {
      if (at !== undefined) performanceBound.set({ ...labels, bound }, at);
    }
  }

  /** Groups that this window does not have, or not enough of, do not go on showing what an older one said of them. */
  private slices(shared: Shared, { monitor, kind, slices }: ClosedWindow): void {
    const labels = slices.map(({ slice, group }) => ({ ...shared, kind, slice, group }));
    const series: Series[] = [];
    for (const [place, { rows, measures }] of slices.entries()) {
      const group = labels[place];
      if (!group) continue;
      sliceRows.set(group, rows);
      series.push({ gauge: sliceRows, labels: group });
      for (const [metric, { value }] of Object.entries(measures)) {
        slicePerformance.set({ ...group, metric }, value);
        series.push({ gauge: slicePerformance, labels: { ...group, metric } });
      }
    }
    const now = new Set(series.map(({ labels: of }) => JSON.stringify(of)));
    const key = `${monitor}/${kind}`;
    for (const { gauge, labels: of } of this.shown.get(key) ?? []) if (!now.has(JSON.stringify(of))) gauge.remove(of);
    this.shown.set(key, series);
  }

  private concept(shared: Shared, version: string, { statistic, value, threshold }: Evidence): void {
    if (threshold > 0) errorDetections.set({ ...shared, version, detector: statistic }, value);
  }

  signal(monitor: WatchedMonitor, kind: SignalKind, stands: boolean): void {
    signalStands.set({ monitor: monitor.name, model: monitor.model, signal: kind }, stands ? 1 : 0);
  }
}

@Injectable()
export class RetrainingMetrics {
  decided(monitor: WatchedMonitor, { retraining, requestsWithoutPerson: inARow }: RetrainingDecision): void {
    const shared = { monitor: monitor.name, model: monitor.model };
    requestsWithoutPerson.set(shared, inARow);
    const why = retraining.kind === 'held' ? retraining.why : undefined;
    for (const reason of OBSTACLES) retrainingHeld.set({ ...shared, reason }, reason === why ? 1 : 0);
    if (retraining.kind === 'request') retrainingRequestsTotal.inc({ ...shared, signal: retraining.signal.kind });
  }
}

@Injectable()
export class RolloutMetrics {
  analysed(monitor: WatchedMonitor, state: AnalysisState, verdict: Verdict | undefined): void {
    const { endpoint } = monitor;
    canaryPairs.set({ endpoint }, state.pairs);
    const { mean, low, high } = confidenceSequence(state.means, monitor.rollout.analysis.alpha);
    canaryImprovement.set({ endpoint, bound: 'value' }, mean);
    canaryImprovement.set({ endpoint, bound: 'low' }, low);
    canaryImprovement.set({ endpoint, bound: 'high' }, high);
    if (verdict) verdictsTotal.inc({ endpoint, verdict: verdict.verdict });
  }
}
