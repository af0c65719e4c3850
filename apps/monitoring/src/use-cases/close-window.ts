import type { Transaction } from '@headrace/messaging';
import { Injectable } from '@nestjs/common';
import type { Deployment } from '../database/deployments.repository';
import { readStates, saveState, type MonitorState } from '../database/monitor-states.repository';
import { findPredictionRef } from '../database/predictions.repository';
import { saveCut } from '../database/window-cuts.repository';
import { lastEndOf, saveWindow, type ClosedWindow } from '../database/windows.repository';
import type { Progress } from '../domain/progress';
import { SIGNAL_KINDS, type SignalKind } from '../domain/retraining-policy';
import { clockOf, type ClosedBy } from '../domain/window-rule';
import { publishCut } from '../events-out/cuts';
import { publishResolved } from '../events-out/signals';
import type { WatchedMonitor } from '../watched-monitors';
import { FindWindow, type FoundWindow } from './find-window';
import { isJudged, judgeWindow, type Reference } from './judge-window';
import { turnSignal } from './turn-signal';

export type Closed =
  /** No further window can be closed now. */
  | { readonly kind: 'nothing' }
  /** Another version is champion: windows and signal began anew. */
  | { readonly kind: 'begun'; readonly signal: SignalKind }
  | { readonly kind: 'closed'; readonly window: ClosedWindow; readonly signalStands: boolean };

/** Closes the next window whose time has come, in the order of event time, and lets it turn its signal on or off. */
@Injectable()
export class CloseWindow {
  constructor(private readonly findWindow: FindWindow) {}

  async run(
    transaction: Transaction,
    monitor: WatchedMonitor,
    deployment: Deployment,
    reference: Reference,
    progress: Progress,
  ): Promise<Closed> {
    if (deployment.championVersion !== reference.version) return { kind: 'nothing' };
    const states = await readStates(transaction, monitor.name);
    const due: { readonly state: MonitorState; readonly window: FoundWindow }[] = [];
    for (const kind of SIGNAL_KINDS) {
      const state = states.find((candidate) => candidate.kind === kind);
      if (!isJudged(kind, monitor, reference)) {
        if (!state?.signal) continue;
        publishResolved(transaction, monitor, kind, 'it is no longer judged', deployment.cause);
        await saveState(transaction, { ...state, signal: undefined });
        return { kind: 'begun', signal: kind };
      }
      if (state?.version !== reference.version) {
        await this.begin(transaction, monitor, kind, reference.version, state, deployment);
        return { kind: 'begun', signal: kind };
      }
      const window = await this.findWindow.next(transaction, monitor, state, progress);
      if (window) due.push({ state, window });
    }
    // Of those that end together the first kind is first: the sort is stable.
    const [next] = due.sort((a, b) => a.window.endMicros - b.window.endMicros);
    if (!next) return { kind: 'nothing' };
    const { state, window } = next;
    const closed = await this.close(transaction, monitor, state.kind, reference, window);
    const signal = await turnSignal(transaction, monitor, state, closed);
    await saveState(transaction, {
      ...state,
      nextStartMicros: window.endMicros,
      lastEndMicros: window.endMicros,
      signal,
    });
    return { kind: 'closed', window: closed, signalStands: signal !== undefined };
  }

  private async begin(
    transaction: Transaction,
    monitor: WatchedMonitor,
    kind: SignalKind,
    version: number,
    before: MonitorState | undefined,
    deployment: Deployment,
  ): Promise<void> {
    if (before?.signal) {
      publishResolved(transaction, monitor, kind, `version ${version} is champion now`, deployment.cause);
    }
    // It was champion before: its windows of then are closed, and it goes on behind them.
    const lastEndMicros = await lastEndOf(transaction, monitor.name, kind, version);
    await saveState(transaction, {
      monitor: monitor.name,
      kind,
      version,
      nextStartMicros: lastEndMicros,
      lastEndMicros,
      signal: undefined,
    });
  }

  private async close(
    transaction: Transaction,
    monitor: WatchedMonitor,
    kind: SignalKind,
    reference: Reference,
    window: FoundWindow,
  ): Promise<ClosedWindow> {
    const closed = await judgeWindow(transaction, monitor, kind, reference, window);
    await saveWindow(transaction, closed);
    if (window.closedBy !== undefined) await this.cut(transaction, monitor, closed, window.closedBy);
    return closed;
  }

  /** The end that was found: nothing moves it any more. */
  private async cut(
    transaction: Transaction,
    monitor: WatchedMonitor,
    closed: ClosedWindow,
    closedBy: ClosedBy,
  ): Promise<void> {
    const { version, startMicros, endMicros, lastPredictionId } = closed;
    const cut = { monitor: monitor.name, clock: clockOf(closed.kind), version, startMicros, endMicros, closedBy };
    if (!(await saveCut(transaction, cut))) return;
    const last = lastPredictionId === undefined ? undefined : await findPredictionRef(transaction, lastPredictionId);
    publishCut(transaction, monitor, cut, closed.predictions, last?.cause);
  }
}
