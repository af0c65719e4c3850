// Hysteresis: whether k of the last n windows crossed, and what is told when that changes.
import type { Explanation } from '@headrace/contracts/proto/monitoring/v1/monitoring_events';
import type { Transaction } from '@headrace/messaging';
import { recordDecision } from '../database/decisions.repository';
import type { MonitorState } from '../database/monitor-states.repository';
import { labelPublished } from '../database/outcomes.repository';
import { findPredictionRef } from '../database/predictions.repository';
import { driftedWithin, readJudged, type ClosedWindow } from '../database/windows.repository';
import { explain } from '../domain/explanation';
import { stands, turnOf } from '../domain/hysteresis';
import { closesByPredictions, type Signal } from '../domain/retraining-policy';
import { publishResolved, publishSignal } from '../events-out/signals';
import type { WatchedMonitor } from '../watched-monitors';

/** The signal after this window, which was closed or judged again; tells of it when it turned. */
export async function turnSignal(
  transaction: Transaction,
  monitor: WatchedMonitor,
  state: MonitorState,
  closed: ClosedWindow,
): Promise<Signal | undefined> {
  const { kind, version } = state;
  const rule = monitor.spec[kind]?.rule;
  const lastId = closed.lastPredictionId;
  if (!closed.judged || rule === undefined || lastId === undefined) return state.signal;
  const windows = await readJudged(transaction, monitor.name, kind, version, rule.n);
  const standsNow = stands(
    windows.map((window) => window.crossed),
    rule,
  );
  const turn = turnOf(state.signal !== undefined, standsNow);
  if (turn === 'unchanged') return state.signal;
  const trigger = await findPredictionRef(transaction, lastId);
  if (!trigger) return state.signal;
  if (turn === 'off') {
    const summary = `${rule.k} of ${rule.n} windows no longer cross`;
    publishResolved(transaction, monitor, kind, summary, trigger.cause);
    return undefined;
  }
  const { cause, type, summary } = publishSignal(transaction, monitor, {
    kind,
    version,
    windows,
    rule,
    trigger,
    explanation: kind === 'performance' ? await explained(transaction, monitor, version, windows) : undefined,
  });
  const published = closesByPredictions(kind)
    ? undefined
    : await labelPublished(transaction, monitor.source.id, trigger.ref.id);
  await recordDecision(transaction, {
    eventId: cause.eventId,
    monitor: monitor.name,
    endpoint: monitor.endpoint,
    type,
    recordPublishedMicros: published ?? trigger.publishedMicros,
    summary,
    windows: {
      beganMicros: windows.find((window) => window.crossed)?.startMicros ?? closed.startMicros,
      decidedMicros: closed.endMicros,
    },
  });
  return {
    kind,
    sinceMicros: closed.endMicros,
    eventId: cause.eventId,
    correlationId: cause.correlationId,
    traceparent: cause.traceparent,
  };
}

async function explained(
  transaction: Transaction,
  monitor: WatchedMonitor,
  version: number,
  windows: readonly ClosedWindow[],
): Promise<Explanation | undefined> {
  const [first, last] = [windows[0], windows.at(-1)];
  if (!first || !last) return undefined;
  const drifted = await driftedWithin(transaction, monitor.name, version, first.startMicros, last.endMicros);
  return explain(last.evidence, drifted);
}
