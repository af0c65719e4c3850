import { parseDuration, tumblingWindowOf, type Window } from '@headrace/event-time';
import type { Transaction } from '@headrace/messaging';
import { Injectable } from '@nestjs/common';
import type { Deployment } from '../database/deployments.repository';
import { readStates, saveState, type MonitorState } from '../database/monitor-states.repository';
import { nextLabelTime } from '../database/outcomes.repository';
import { nextPredictionTime } from '../database/predictions.repository';
import { firstAsChampion } from '../database/progress.repository';
import { saveWindow, type ClosedWindow } from '../database/windows.repository';
import { driftHorizon, labelHorizon, type Progress } from '../domain/progress';
import { closesByPredictions, SIGNAL_KINDS, type SignalKind } from '../domain/retraining-policy';
import { publishResolved } from '../events-out/signals';
import type { WatchedMonitor } from '../watched-monitors';
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
  async run(
    transaction: Transaction,
    monitor: WatchedMonitor,
    deployment: Deployment,
    reference: Reference,
    progress: Progress,
  ): Promise<Closed> {
    if (deployment.championVersion !== reference.version) return { kind: 'nothing' };
    const states = await readStates(transaction, monitor.name);
    const due: { readonly state: MonitorState; readonly window: Window }[] = [];
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
      const window = await this.due(transaction, monitor, state, progress);
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
    await saveState(transaction, {
      monitor: monitor.name,
      kind,
      version,
      nextStartMicros: undefined,
      lastEndMicros: undefined,
      signal: undefined,
    });
  }

  /** The next window with anything in it, when it may be closed; empty ones are passed over. */
  private async due(
    transaction: Transaction,
    monitor: WatchedMonitor,
    state: MonitorState,
    progress: Progress,
  ): Promise<Window | undefined> {
    const length = parseDuration(monitor.spec.window);
    const judged = { endpoint: monitor.endpoint, source: monitor.source.id };
    const from = state.nextStartMicros ?? (await this.firstStart(transaction, monitor.endpoint, state.version, length));
    if (from === undefined) return undefined;
    const time = closesByPredictions(state.kind)
      ? await nextPredictionTime(transaction, monitor.endpoint, from)
      : await nextLabelTime(transaction, judged, from);
    if (time === undefined) return undefined;
    const window = tumblingWindowOf(time, length);
    const horizon = closesByPredictions(state.kind) ? driftHorizon(progress) : labelHorizon(progress);
    return window.endMicros <= horizon ? window : undefined;
  }

  /** A window that began before the version's first answer as champion is not its own. */
  private async firstStart(
    transaction: Transaction,
    endpoint: string,
    version: number,
    length: number,
  ): Promise<number | undefined> {
    const first = await firstAsChampion(transaction, endpoint, version);
    return first === undefined ? undefined : Math.ceil(first / length) * length;
  }

  private async close(
    transaction: Transaction,
    monitor: WatchedMonitor,
    kind: SignalKind,
    reference: Reference,
    window: Window,
  ): Promise<ClosedWindow> {
    const closed = await judgeWindow(transaction, monitor, kind, reference, window);
    await saveWindow(transaction, closed);
    return closed;
  }
}
