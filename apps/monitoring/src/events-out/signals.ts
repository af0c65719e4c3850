import { events } from '@headrace/contracts';
import { DriftKind, Severity, type Explanation } from '@headrace/contracts/proto/monitoring/v1/monitoring_events';
import { formatTime } from '@headrace/event-time';
import type { Cause, Transaction } from '@headrace/messaging';
import type { PredictionRef } from '../database/predictions.repository';
import { evidenceOf, type ClosedWindow } from '../database/windows.repository';
import { expectedRun } from '../domain/calibration';
import { explanationText } from '../domain/explanation';
import { referenceText } from '../domain/live-reference';
import type { Rule } from '../domain/hysteresis';
import type { SignalKind } from '../domain/retraining-policy';
import type { WatchedMonitor } from '../watched-monitors';

/** One alert for each monitor and signal, raised and resolved again and again under the same id. */
function alertIdOf(monitor: WatchedMonitor, kind: SignalKind): string {
  return `${monitor.name}/${kind}`;
}

const RUNBOOKS: Readonly<Record<SignalKind, string>> = {
  drift: 'docs/runbooks/drift.md',
  estimate: 'docs/runbooks/estimated-performance.md',
  performance: 'docs/runbooks/performance.md',
  concept: 'docs/runbooks/concept-drift.md',
};

const WORDS: Readonly<Record<SignalKind, string>> = {
  drift: 'drift',
  estimate: 'performance degraded, as estimated',
  performance: 'performance degraded',
  concept: 'concept drift',
};

/** What turned a signal on. */
export interface Turned {
  readonly kind: SignalKind;
  readonly version: number;
  /** The last n windows, oldest first. */
  readonly windows: readonly ClosedWindow[];
  readonly rule: Rule;
  readonly trigger: PredictionRef;
  readonly explanation: Explanation | undefined;
}

/** The signal turns on: the event and its alert. Returns the event as the cause of what follows. */
export function publishSignal(
  transaction: Transaction,
  monitor: WatchedMonitor,
  turned: Turned,
): { readonly cause: Cause; readonly type: string; readonly summary: string } {
  const { kind, version, windows, rule, trigger, explanation } = turned;
  const shared = {
    monitor: monitor.name,
    model: monitor.model,
    endpoint: monitor.endpoint,
    version,
    severity: Severity.CRITICAL,
    windows: evidenceOf(windows),
    rule: `${rule.k} of ${rule.n}`,
    trigger: trigger.ref,
  };
  const run = expectedRun(windows.at(-1)?.falseAlarms, rule, monitor.spec);
  const isDrift = kind === 'drift' || kind === 'concept';
  const id = isDrift
    ? transaction.publish(
        events.DriftDetected,
        { ...shared, kind: kind === 'concept' ? DriftKind.CONCEPT : DriftKind.DATA, expectedRun: run },
        { cause: trigger.cause },
      )
    : transaction.publish(
        events.PerformanceDegraded,
        { ...shared, estimated: kind === 'estimate', explanation },
        { cause: trigger.cause },
      );
  const cause: Cause = { ...trigger.cause, eventId: id };
  const why = explanation === undefined ? '' : `; ${explanationText(explanation)}`;
  const summary = `${describe(kind, windows.at(-1))} (version ${version}, ${rule.k} of ${rule.n} windows)${why}`;
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
  return { cause, type: (isDrift ? events.DriftDetected : events.PerformanceDegraded).type, summary };
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
    const isCompared = (kind === 'performance' || kind === 'estimate') && !Number.isNaN(entry.reference);
    const reference = isCompared ? `, reference ${entry.reference.toFixed(4)}` : '';
    return `${entry.statistic} of ${entry.subject} ${entry.value.toFixed(4)} at threshold ${entry.threshold.toFixed(4)}${reference}`;
  });
  const until = window === undefined ? '' : ` in the ${held(window)} to ${formatTime(window.endMicros)}`;
  const against = window?.reference === undefined ? '' : ` against ${referenceText(window.reference)}`;
  return `${WORDS[kind]}: ${found.join(', ') || 'earlier windows crossed'}${until}${against}`;
}

/** A window by count is told by how many it holds. */
function held({ closedBy, predictions }: ClosedWindow): string {
  return closedBy === undefined ? 'window' : `window of ${predictions} predictions`;
}
