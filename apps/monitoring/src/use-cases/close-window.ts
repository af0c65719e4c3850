import { events } from '@headrace/contracts';
import { parseDuration, tumblingWindowOf, type Window } from '@headrace/event-time';
import type { Transaction } from '@headrace/messaging';
import { Injectable } from '@nestjs/common';
import { recordDecision } from '../database/decisions.repository';
import type { Deployment } from '../database/deployments.repository';
import { readStates, saveState, type MonitorState } from '../database/monitor-states.repository';
import { labelPublished, nextLabelTime, readLabelledScores } from '../database/outcomes.repository';
import { findPredictionRef, nextPredictionTime, readScoredPredictions } from '../database/predictions.repository';
import { firstAsChampion } from '../database/progress.repository';
import { readJudged, saveWindow, type ClosedWindow } from '../database/windows.repository';
import { driftEvidence, performanceEvidence, type JudgedEvidence } from '../domain/evidence';
import { stands, turnOf } from '../domain/hysteresis';
import { driftHorizon, labelHorizon, type Progress } from '../domain/progress';
import type { ReferenceProfile } from '../domain/reference-profile';
import type { Signal, SignalKind } from '../domain/retraining-policy';
import { publishResolved, publishSignal } from '../events-out/signals';
import type { WatchedMonitor } from '../watched-monitors';

const NO_EVIDENCE: JudgedEvidence = { evidence: [], crossed: false };

/** What the champion is compared with. */
export interface Reference {
  readonly version: number;
  readonly profile: ReferenceProfile;
}

export type Closed =
  /** No further window can be closed now. */
  | { readonly kind: 'nothing' }
  /** Another version is champion: windows and signal began anew. */
  | { readonly kind: 'begun'; readonly signal: SignalKind }
  | { readonly kind: 'closed'; readonly window: ClosedWindow; readonly signalStands: boolean };

const KINDS: readonly SignalKind[] = ['drift', 'performance'];

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
    for (const kind of KINDS) {
      const state = states.find((candidate) => candidate.kind === kind);
      if (state?.version !== reference.version) {
        await this.begin(transaction, monitor, kind, reference.version, state, deployment);
        return { kind: 'begun', signal: kind };
      }
      const window = await this.due(transaction, monitor, state, progress);
      if (window) due.push({ state, window });
    }
    // Of two that end together drift is first.
    const [next] = due.sort((a, b) => a.window.endMicros - b.window.endMicros);
    if (!next) return { kind: 'nothing' };
    const { state, window } = next;
    const closed = await this.close(transaction, monitor, state.kind, reference, window);
    const signal = await this.turn(transaction, monitor, state, closed);
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
    const time =
      state.kind === 'drift'
        ? await nextPredictionTime(transaction, monitor.endpoint, from)
        : await nextLabelTime(transaction, judged, from);
    if (time === undefined) return undefined;
    const window = tumblingWindowOf(time, length);
    const horizon = state.kind === 'drift' ? driftHorizon(progress) : labelHorizon(progress);
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
    const { rows, evidence, crossed } = await this.judge(transaction, monitor, kind, reference, window);
    const judged = rows.length >= monitor.spec.minimumSample;
    const closed: ClosedWindow = {
      monitor: monitor.name,
      kind,
      version: reference.version,
      startMicros: window.startMicros,
      endMicros: window.endMicros,
      judged,
      crossed: judged && crossed,
      predictions: rows.length,
      labels: kind === 'drift' ? 0 : rows.length,
      evidence,
      lastPredictionId: rows.at(-1)?.predictionId,
    };
    await saveWindow(transaction, closed);
    return closed;
  }

  private async judge(
    transaction: Transaction,
    { endpoint, source, spec }: WatchedMonitor,
    kind: SignalKind,
    { version, profile }: Reference,
    { startMicros, endMicros }: Window,
  ): Promise<JudgedEvidence & { readonly rows: readonly { readonly predictionId: string }[] }> {
    if (kind === 'drift') {
      const rows = await readScoredPredictions(transaction, endpoint, version, startMicros, endMicros);
      return { rows, ...(rows.length === 0 ? NO_EVIDENCE : driftEvidence(rows, profile, spec.drift)) };
    }
    const judged = { endpoint, source: source.id };
    const rows = await readLabelledScores(transaction, judged, version, startMicros, endMicros);
    return { rows, ...(rows.length === 0 ? NO_EVIDENCE : performanceEvidence(rows, profile, spec.performance)) };
  }

  /** The signal after this window. */
  private async turn(
    transaction: Transaction,
    monitor: WatchedMonitor,
    state: MonitorState,
    closed: ClosedWindow,
  ): Promise<Signal | undefined> {
    const { kind, version } = state;
    const rule = (kind === 'drift' ? monitor.spec.drift : monitor.spec.performance)?.rule;
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
    const { cause, summary } = publishSignal(transaction, monitor, kind, version, windows, rule, trigger);
    const published =
      kind === 'drift' ? undefined : await labelPublished(transaction, monitor.source.id, trigger.ref.id);
    await recordDecision(transaction, {
      eventId: cause.eventId,
      monitor: monitor.name,
      endpoint: monitor.endpoint,
      type: (kind === 'drift' ? events.DriftDetected : events.PerformanceDegraded).type,
      recordPublishedMicros: published ?? trigger.publishedMicros,
      summary,
    });
    return {
      kind,
      sinceMicros: closed.endMicros,
      eventId: cause.eventId,
      correlationId: cause.correlationId,
      traceparent: cause.traceparent,
    };
  }
}
