// What a drift window is compared with where the Monitor's reference moves with time.
import type { Window } from '@headrace/event-time';
import type { Transaction } from '@headrace/messaging';
import {
  findReference,
  markFollowersStale,
  pruneSketches,
  readSketches,
  saveSketches,
  sketchedRows,
  type SketchedVersion,
} from '../database/window-sketches.repository';
import type { DriftProfile, ScoredRow } from '../domain/evidence';
import {
  describedReference,
  isEnough,
  liveRulesOf,
  type LiveRules,
  type WindowReference,
} from '../domain/live-reference';
import type { ReferenceDistribution } from '../domain/reference-profile';
import { distributionOf, sketchesOf } from '../domain/window-sketch';
import { windowLengthOf } from '../domain/window-rule';
import type { WatchedMonitor } from '../watched-monitors';

/** Subjects whose sketches are in memory at a time: at most 100 windows of 1,000 values each. */
const AT_A_TIME = 16;

export interface FoundReference {
  readonly reference: WindowReference;
  /** Undefined: there is not enough of it yet, and the window is not judged. */
  readonly profile: DriftProfile | undefined;
}

/** Keeps the sketch of the window itself, for those that come after it, and finds what it is compared with. */
export async function findDriftReference(
  transaction: Transaction,
  monitor: WatchedMonitor,
  rules: LiveRules,
  version: number,
  trained: DriftProfile,
  window: Window,
  rows: readonly ScoredRow[],
): Promise<FoundReference> {
  const sketched = { monitor: monitor.name, version };
  const { minimumSample } = monitor.spec;
  const names = trained.features.map((feature) => feature.name);
  const before = await sketchedRows(transaction, sketched, window.startMicros);
  await saveSketches(transaction, sketched, window, rows.length, sketchesOf(rows, [trained.prediction.name, ...names]));
  // Rows only ever come to a window: with as many as before it is as it was, and so is what was compared with it.
  if (before !== undefined && before !== rows.length)
    await markFollowersStale(transaction, sketched, rules, minimumSample, window);
  const lengthMicros = windowLengthOf(monitor.spec);
  const found = await findReference(transaction, sketched, rules, { minimumSample, lengthMicros }, window);
  const reference = describedReference(rules, found);
  if (!isEnough(reference)) return { reference, profile: undefined };
  const starts = found.map((one) => one.startMicros);
  const [prediction, ...features] = await distributions(
    transaction,
    sketched,
    [trained.prediction.name, ...names],
    starts,
    lengthMicros,
  );
  return { reference, profile: prediction && { prediction, features } };
}

async function distributions(
  transaction: Transaction,
  sketched: SketchedVersion,
  subjects: readonly string[],
  starts: readonly number[],
  lengthMicros: number | undefined,
): Promise<ReferenceDistribution[]> {
  const found: ReferenceDistribution[] = [];
  for (let from = 0; from < subjects.length; from += AT_A_TIME) {
    const names = subjects.slice(from, from + AT_A_TIME);
    const sketches = await readSketches(transaction, sketched, names, starts);
    for (const name of names) found.push(distributionOf(name, sketches.get(name) ?? [], lengthMicros));
  }
  return found;
}

/** Forgets sketches that no window can be compared with any more whose facts are still kept. */
export async function forgetSketches(
  transaction: Transaction,
  monitor: WatchedMonitor,
  version: number,
  keptFromMicros: number,
): Promise<void> {
  const sketched = { monitor: monitor.name, version };
  const rules = liveRulesOf(monitor.spec);
  const of = { minimumSample: monitor.spec.minimumSample, lengthMicros: windowLengthOf(monitor.spec) };
  const needed = rules && (await findReference(transaction, sketched, rules, of, { startMicros: keptFromMicros }));
  await pruneSketches(transaction, sketched, keptFromMicros, needed?.[0]?.startMicros ?? keptFromMicros);
}
