import { events } from '@headrace/contracts';
import type { Cause, Transaction } from '@headrace/messaging';
import type { WindowCut } from '../database/window-cuts.repository';
import type { WatchedMonitor } from '../watched-monitors';

/** Where a window by count ends, and how many predictions it held then. */
export function publishCut(
  transaction: Transaction,
  { model, endpoint }: WatchedMonitor,
  cut: WindowCut,
  predictions: number,
  cause: Cause | undefined,
): void {
  transaction.publish(events.WindowCut, { ...cut, model, endpoint, predictions }, { cause: cause ?? null });
}
