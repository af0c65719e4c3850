import { events } from '@headrace/contracts';
import { Severity } from '@headrace/contracts/proto/monitoring/v1/monitoring_events';
import { formatTime } from '@headrace/event-time';
import type { Cause, Transaction } from '@headrace/messaging';
import type { PredictionRef } from '../database/predictions.repository';
import { summaryOf, type ClosedWindow } from '../database/windows.repository';
import type { Rule } from '../domain/hysteresis';
import type { SignalKind } from '../domain/retraining-policy';
import type { WatchedMonitor } from '../watched-monitors';

/** One alert for each monitor and signal, raised and resolved again and again under the same id. */
function alertIdOf(monitor: WatchedMonitor, kind: SignalKind): string {
  return `${monitor.name}/${kind}`;
}

const RUNBOOKS: Readonly<Record<SignalKind, string>> = {
  drift: 'docs/runbooks/drift.md',
  performance: 'docs/runbooks/performance.md',
};

/** The signal turns on: the event and its alert. Returns the event as the cause of what follows. */
export function publishSignal(
  transaction: Transaction,
  monitor: WatchedMonitor,
  kind: SignalKind,
  version: number,
  windows: readonly ClosedWindow[],
  rule: Rule,
  trigger: PredictionRef,
): { readonly cause: Cause; readonly summary: string } {
  const definition = kind === 'drift' ? events.DriftDetected : events.PerformanceDegraded;
  const id = transaction.publish(
    definition,
    {
      monitor: monitor.name,
      model: monitor.model,
      endpoint: monitor.endpoint,
      version,
      severity: Severity.CRITICAL,
      windows: windows.map(summaryOf),
      rule: `${rule.k} of ${rule.n}`,
      trigger: trigger.ref,
    },
    { cause: trigger.cause },
  );
  const cause: Cause = { ...trigger.cause, eventId: id };
  const summary = `${describe(kind, windows.at(-1))} (version ${version}, ${rule.k} of ${rule.n} windows)`;
  transaction.publish(
    events.AlertRaised,
    {
      alertId: alertIdOf(monitor, kind),
      monitor: monitor.name,
      model: monitor.model,
      severity: Severity.CRITICAL,
      summary,
      runbook: RUNBOOKS[kind],
    },
    { cause },
  );
  return { cause, summary };
}

export function publishResolved(
  transaction: Transaction,
  monitor: WatchedMonitor,
  kind: SignalKind,
  summary: string,
  cause: Cause,
): void {
  transaction.publish(
    events.AlertResolved,
    { alertId: alertIdOf(monitor, kind), monitor: monitor.name, model: monitor.model, summary },
    { cause },
  );
}

function describe(kind: SignalKind, window: ClosedWindow | undefined): string {
  const crossed = (window?.evidence ?? []).filter((entry) => entry.crossed);
  const found = crossed.map((entry) => {
    const reference = kind === 'performance' ? `, reference ${entry.reference.toFixed(4)}` : '';
    return `${entry.statistic} of ${entry.subject} ${entry.value.toFixed(4)} at threshold ${entry.threshold.toFixed(4)}${reference}`;
  });
  const until = window === undefined ? '' : ` in the window to ${formatTime(window.endMicros)}`;
  return `${kind === 'drift' ? 'drift' : 'performance degraded'}: ${found.join(', ') || 'earlier windows crossed'}${until}`;
}
