import { Injectable } from '@nestjs/common';
import type { Gauge } from 'prom-client';
import type { ClosedWindow } from './database/windows.repository';
import { expectedRun } from './domain/calibration';
import { PREDICTION } from './domain/drift-window';
import { isUnjudged, type Evidence } from './domain/evidence';
import { fairnessOf } from './domain/fairness';
import { isEnough } from './domain/live-reference';
import { OBSTACLES, type RetrainingDecision, type SignalKind } from './domain/retraining-policy';
import type { AnalysisState, Verdict } from './domain/rollout-analysis';
import { confidenceSequence } from '@headrace/statistics';
import {
  businessMetric,
  businessMetricBound,
  businessMetricFailures,
  canaryImprovement,
  canaryPairs,
  driftStatistic,
  driftThreshold,
  errorDetections,
  estimatedPerformance,
  fairnessDifference,
  falseAlarmRun,
  falseAlarmRunPredictions,
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
  readonly name: string;
  readonly gauge: Gauge;
  readonly labels: Readonly<Record<string, string>>;
  readonly value: number;
}

function keyOf({ name, labels }: Series): string {
  return JSON.stringify([name, labels]);
}

function slicesOf(shared: Shared, { kind, slices }: ClosedWindow): Series[] {
  return slices.flatMap(({ slice, group, rows, measures }): Series[] => {
    const labels = { ...shared, kind, slice, group };
    const measured = Object.entries(measures).map(([metric, { value }]): Series => {
      return { name: 'measure', gauge: slicePerformance, labels: { ...labels, metric }, value };
    });
    return [{ name: 'rows', gauge: sliceRows, labels, value: rows }, ...measured];
  });
}

function fairnessSeries(shared: Shared, { kind, slices }: ClosedWindow): Series[] {
  return fairnessOf(slices).map(({ slice, measure, gap }) => {
    return {
      name: 'fairness',
      gauge: fairnessDifference,
      labels: { ...shared, kind, slice, measure },
      value: gap.value,
    };
  });
}

function metricsOf(shared: Shared, { metrics }: ClosedWindow): Series[] {
  return metrics.flatMap(({ name: metric, value, failed }): Series[] => {
    const labels = { ...shared, metric };
    const failures: Series = { name: 'failed', gauge: businessMetricFailures, labels, value: failed };
    if (!value) return [failures];
    const bounds = (['low', 'high'] as const).map((bound): Series => {
      return { name: 'bound', gauge: businessMetricBound, labels: { ...labels, bound }, value: value[bound] };
    });
    return [failures, { name: 'value', gauge: businessMetric, labels, value: value.value }, ...bounds];
  });
}

/** Metrics of windows, told after the commit. */
@Injectable()
export class WindowMetrics {
  /** Series of slices and metrics that stand, by monitor and kind of window. */
  private readonly shown = new Map<string, readonly Series[]>();

  begun(monitor: WatchedMonitor, kind: SignalKind): void {
    signalStands.set({ monitor: monitor.name, model: monitor.model, signal: kind }, 0);
  }

  closed(monitor: WatchedMonitor, window: ClosedWindow, stands: boolean): void {
    const lacksReference =
      (window.reference !== undefined && !isEnough(window.reference)) || isUnjudged(window.evidence);
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
    this.declared(shared, window);
    if (window.kind !== 'drift') return;
    const lacking = window.evidence.filter((test) => !Number.isFinite(test.threshold) || test.notJudged !== undefined);
    uncalibratedTests.set(shared, lacking.length);
    const rule = monitor.spec.drift?.rule;
    const run = rule && expectedRun(window.falseAlarms, rule, monitor.spec);
    for (const [gauge, value] of [
      [falseAlarmRun, run?.seconds],
      [falseAlarmRunPredictions, run?.predictions],
    ] as const) {
      if (value) gauge.set({ ...shared, signal: window.kind }, value);
      else gauge.remove({ ...shared, signal: window.kind });
    }
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

  private performance(shared: Shared, version: string, evidence: Evidence): void {
    // A metric's test: the metric has gauges of its own.
    if (evidence.subject !== PREDICTION) return;
    const { statistic, value, reference, low, high } = evidence;
    const labels = { ...shared, version, metric: statistic };
    performanceValue.set(labels, value);
    if (!Number.isNaN(reference)) performanceReference.set(labels, reference);
    for (const [bound, at] of Object.entries({ low, high })) {
      if (at !== undefined) performanceBound.set({ ...labels, bound }, at);
    }
  }

  /** What this window does not have, or not enough of, does not go on showing what an older one said of it. */
  private declared(shared: Shared, window: ClosedWindow): void {
    const series = [...slicesOf(shared, window), ...fairnessSeries(shared, window), ...metricsOf(shared, window)];
    for (const { gauge, labels, value } of series) gauge.set(labels, value);
    const now = new Set(series.map(keyOf));
    const key = `${window.monitor}/${window.kind}`;
    for (const one of this.shown.get(key) ?? []) if (!now.has(keyOf(one))) one.gauge.remove(one.labels);
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
