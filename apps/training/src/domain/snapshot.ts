// Which dataset versions a run is trained on.
import type { DatasetVersionRef } from '@headrace/contracts/proto/common/v1/common';
import type { FeatureView, TrainingPlan } from '@headrace/definitions';
import { parseDuration } from '@headrace/event-time';
import type { RunState, Trigger } from './run';

export interface KnownDatasetVersion {
  readonly stream: string;
  readonly version: number;
  readonly manifestDigest: string;
  readonly rows: number;
  readonly maxEventTimeMicros: number;
  readonly maxKnownTimeMicros: number;
}

/** Streams of spine, label and views, each once; undefined while a view is unknown. */
export function streamsOf(
  plan: TrainingPlan,
  viewNamed: (name: string) => FeatureView | undefined,
): readonly string[] | undefined {
  const streams = new Set([plan.spec.spine.stream, plan.spec.label.stream]);
  for (const { view } of plan.spec.features) {
    if (view === undefined) continue;
    const found = viewNamed(view);
    if (!found) return undefined;
    streams.add(found.spec.source);
  }
  return [...streams];
}

export type Snapshot =
  | { readonly kind: 'ready'; readonly datasets: readonly DatasetVersionRef[]; readonly stale: readonly string[] }
  /** Streams without any version, or with one that is not new enough yet. */
  | { readonly kind: 'waiting'; readonly missing: readonly string[]; readonly stale: readonly string[] };

/**
 * The newest version of each stream, once each one's known time has reached `decidedAtEventMicros` or the deadline (wall
 * clock) has passed. A stream without any version is waited for whatever the deadline says.
 */
export function chooseSnapshot(input: {
  readonly streams: readonly string[];
  readonly newest: ReadonlyMap<string, KnownDatasetVersion>;
  readonly decidedAtEventMicros: number;
  readonly deadlineMicros: number;
  readonly nowMicros: number;
}): Snapshot {
  const found = input.streams.flatMap((stream) => input.newest.get(stream) ?? []);
  const missing = input.streams.filter((stream) => !input.newest.has(stream));
  const stale = found
    .filter((version) => version.maxKnownTimeMicros < input.decidedAtEventMicros)
    .map((version) => version.stream);
  if (missing.length > 0 || (stale.length > 0 && input.nowMicros < input.deadlineMicros)) {
    return { kind: 'waiting', missing, stale };
  }
  const datasets = found.map(({ stream, version, manifestDigest }) => ({ stream, version, manifestDigest }));
  return { kind: 'ready', datasets, stale };
}

/**
 * The plan trains for the first time: enough rows that can be learnt from, and a version of every other stream. Streams commit
 * their versions each in its own time: rows of the spine alone say nothing, their labels may still be on the way.
 */
export function reachesInitialRows(
  plan: TrainingPlan,
  streams: readonly string[],
  newest: ReadonlyMap<string, KnownDatasetVersion>,
): boolean {
  const { spine, label, triggers } = plan.spec;
  const wanted = triggers.initialSpineRows;
  if (wanted === undefined) return false;
  const rowsOf = (stream: string): number => newest.get(stream)?.rows ?? 0;
  return rowsOf(spine.stream) >= wanted && rowsOf(label.stream) >= wanted && streams.every((it) => newest.has(it));
}

/** The first training is made, or made again: when it failed, newer data may be what it lacked. Never twice from the same. */
export function mayBeginFirst(
  last: { readonly state: RunState; readonly trigger: Trigger; readonly datasets: readonly DatasetVersionRef[] } | null,
  newest: ReadonlyMap<string, KnownDatasetVersion>,
): boolean {
  if (last === null) return true;
  if (last.state !== 'failed' || last.trigger !== 'data-volume') return false;
  return last.datasets.some(({ stream, version }) => (newest.get(stream)?.version ?? 0) > version);
}

/** Spine rows from this event time on are used; 0: all. */
export function spineFrom(plan: TrainingPlan, newestSpineMicros: number): number {
  if (plan.spec.lookback === undefined) return 0;
  return Math.max(0, newestSpineMicros - parseDuration(plan.spec.lookback));
}
