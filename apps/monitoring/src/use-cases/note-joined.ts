import { MICROS } from '@headrace/event-time';
import type { Transaction } from '@headrace/messaging';
import { readAllStates } from '../database/monitor-states.repository';
import type { Joined } from '../database/outcomes.repository';
import { countJoined, readCounters } from '../database/progress.repository';
import { markStale } from '../database/windows.repository';
import { publishGroundTruth } from '../events-out/ground-truth';
import { joinedTotal, labelCoverage, labelDelay, lateTotal } from '../monitoring-metrics';
import type { WatchedMonitor } from '../watched-monitors';

/** What follows from predictions that met their labels. */
export async function noteJoined(
  transaction: Transaction,
  joined: readonly Joined[],
  monitors: readonly WatchedMonitor[],
): Promise<void> {
  if (joined.length === 0) return;
  publishGroundTruth(transaction, joined);
  const counts = new Map<string, number>();
  for (const { endpoint, isNew, labelKnownMicros, asOfMicros } of joined) {
    if (!isNew) continue;
    counts.set(endpoint, (counts.get(endpoint) ?? 0) + 1);
    labelDelay.observe({ endpoint }, Math.max(labelKnownMicros - asOfMicros, 0) / MICROS.s);
  }
  await countJoined(transaction, counts);
  for (const [endpoint, count] of counts) {
    joinedTotal.inc({ endpoint }, count);
    const counters = await readCounters(transaction, endpoint);
    labelCoverage.set({ endpoint }, counters.joined / Math.max(counters.predictions - counters.fallbacks, 1));
  }
  await countLate(
    transaction,
    'performance',
    monitors,
    joined.map((one) => ({ endpoint: one.endpoint, source: one.source, timeMicros: one.labelEventTimeMicros })),
  );
}

/** What comes late into these windows has them judged again. */
const REVISED = { drift: ['drift', 'estimate'], performance: ['performance'] } as const;

/** What came after its window had been closed: counted, and the window is marked. The sources are locked. */
export async function countLate(
  transaction: Transaction,
  kind: 'drift' | 'performance',
  monitors: readonly WatchedMonitor[],
  arrived: readonly { readonly endpoint: string; readonly source?: string; readonly timeMicros: number }[],
): Promise<void> {
  for (const state of await readAllStates(transaction)) {
    const { nextStartMicros } = state;
    const monitor = monitors.find((candidate) => candidate.name === state.monitor);
    if (!monitor || state.kind !== kind || state.lastEndMicros === undefined || nextStartMicros === undefined) continue;
    const late = arrived.filter(
      ({ endpoint, source, timeMicros }) =>
        endpoint === monitor.endpoint &&
        (source === undefined || source === monitor.source.id) &&
        timeMicros < nextStartMicros,
    );
    if (late.length === 0) continue;
    lateTotal.inc({ monitor: state.monitor, kind }, late.length);
    const windows = { monitor: state.monitor, version: state.version, kinds: REVISED[kind] };
    await markStale(
      transaction,
      windows,
      late.map((one) => one.timeMicros),
    );
  }
}
