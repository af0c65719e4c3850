import { Injectable } from '@nestjs/common';
import type { ClosedWindow } from './database/windows.repository';
import type { SignalKind } from './domain/retraining-policy';
import type { AnalysisState, Verdict } from './domain/rollout-analysis';
import { confidenceSequence } from '@headrace/statistics';
import {
  canaryImprovement,
  canaryPairs,
  driftStatistic,
  driftThreshold,
  performanceReference,
  performanceValue,
  retrainingRequestsTotal,
  signalStands,
  verdictsTotal,
  windowsTotal,
} from './monitoring-metrics';
import type { WatchedMonitor } from './watched-monitors';

/** Metrics of windows, told after the commit. */
@Injectable()
export class WindowMetrics {
  begun(monitor: WatchedMonitor, kind: SignalKind): void {
    signalStands.set({ monitor: monitor.name, model: monitor.model, signal: kind }, 0);
  }

  closed(monitor: WatchedMonitor, window: ClosedWindow, stands: boolean): void {
    const outcome = window.judged ? 'judged' : 'skipped';
    windowsTotal.inc({ monitor: monitor.name, kind: window.kind, outcome });
    this.show(monitor, window);
    this.signal(monitor, window.kind, stands);
  }

  /** The gauges of a window; also at start, of the last ones. */
  show(monitor: WatchedMonitor, window: ClosedWindow): void {
    if (!window.judged) return;
    const shared = { monitor: monitor.name, model: monitor.model };
    for (const { subject, statistic, value, threshold, reference } of window.evidence) {
      if (window.kind === 'drift') {
        driftStatistic.set({ ...shared, subject, statistic }, value);
        if (threshold > 0) driftThreshold.set({ ...shared, subject, statistic }, threshold);
      } else {
        const labels = { ...shared, version: String(window.version), metric: statistic };
        performanceValue.set(labels, value);
        performanceReference.set(labels, reference);
      }
    }
  }

  signal(monitor: WatchedMonitor, kind: SignalKind, stands: boolean): void {
    signalStands.set({ monitor: monitor.name, model: monitor.model, signal: kind }, stands ? 1 : 0);
  }

  requested(monitor: WatchedMonitor, signal: SignalKind): void {
    retrainingRequestsTotal.inc({ monitor: monitor.name, model: monitor.model, signal });
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
