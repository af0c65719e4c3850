// Which dataset versions a run is trained on.
import type { DatasetVersionRef } from '@headrace/contracts/proto/common/v1/common';
import type { FeatureView, TrainingPlan } from '@headrace/definitions';
import { parseDuration } from '@headrace/event-time';

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

/** The plan trains for the first time: enough spine rows, and a version of every other stream. */
export function reachesInitialRows(
  plan: TrainingPlan,
  streams: readonly string[],
  newest: ReadonlyMap<string, KnownDatasetVersion>,
): boolean {
  const wanted = plan.spec.triggers.initialSpineRows;
  if (wanted === undefined) return false;
  const rows = newest.get(plan.spec.spine.stream)?.rows ?? 0;
  return rows >= wanted && streams.every((stream) => newest.has(stream));
}

/** Spine rows from this event time on are used; 0: all. */
export function spineFrom(plan: TrainingPlan, newestSpineMicros: number): number {
  if (plan.spec.lookback === undefined) return 0;
  return Math.max(0, newestSpineMicros - parseDuration(plan.spec.lookback));
}
