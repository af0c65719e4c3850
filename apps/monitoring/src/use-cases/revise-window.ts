import type { Transaction } from '@headrace/messaging';
import { Injectable } from '@nestjs/common';
import type { Deployment } from '../database/deployments.repository';
import { readStates, saveState } from '../database/monitor-states.repository';
import { reviseWindow, takeStale, type ClosedWindow } from '../database/windows.repository';
import type { WatchedMonitor } from '../watched-monitors';
import { judgeWindow, type Reference } from './judge-window';
import { turnSignal } from './turn-signal';

export interface Revised {
  readonly window: ClosedWindow;
  readonly isNewest: boolean;
  readonly signalStands: boolean;
}

/** Judges a closed window again, into which something came late; its signal may turn by that. One window a transaction. */
@Injectable()
export class ReviseWindow {
  /** Undefined: there is none left. */
  async run(
    transaction: Transaction,
    monitor: WatchedMonitor,
    deployment: Deployment,
    reference: Reference,
    keptFromMicros: number,
  ): Promise<Revised | undefined> {
    if (deployment.championVersion !== reference.version) return undefined;
    const stale = await takeStale(transaction, monitor.name, reference.version, keptFromMicros);
    if (!stale) return undefined;
    const window = await judgeWindow(transaction, monitor, stale.kind, reference, stale);
    await reviseWindow(transaction, window);
    const states = await readStates(transaction, monitor.name);
    const state = states.find((one) => one.kind === stale.kind && one.version === reference.version);
    if (!state) return { window, isNewest: false, signalStands: false };
    const signal = await turnSignal(transaction, monitor, state, window);
    await saveState(transaction, { ...state, signal });
    return { window, isNewest: state.lastEndMicros === window.endMicros, signalStands: signal !== undefined };
  }
}
