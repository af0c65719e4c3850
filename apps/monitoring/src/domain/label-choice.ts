// Which predictions are worth a person's label.
import { createHash } from 'node:crypto';
import type { Task } from './label-source';
import type { ReferenceDistribution } from './reference-profile';

export const LABEL_REASONS = ['uncertain', 'drifted', 'random'] as const;
export type LabelReason = (typeof LABEL_REASONS)[number];

export interface LabelCandidate {
  readonly predictionId: string;
  readonly names: readonly string[];
  readonly features: readonly number[] | Float64Array;
  readonly output: number;
}

export interface LabelChoice {
  readonly predictionId: string;
  readonly reason: LabelReason;
  /** 0 to 1, the more the sooner; of one reason only they compare. */
  readonly priority: number;
}

/** A feature this many standard deviations away says no more than one further away. */
const FARTHEST = 10;

/**
 * The best of each reason, at most `most` each, a prediction for one reason only. Uncertain: 1 − |2p − 1|, for binary models
 * (a regression has no uncertainty of its own). Drifted: mean over the features of their distance from the reference's mean, in
 * standard deviations, cut at ten. Random: the digest of the id, so that everybody draws the same.
 */
export function choosePredictions(
  candidates: readonly LabelCandidate[],
  task: Task,
  reference: readonly ReferenceDistribution[] | undefined,
  most: number,
): LabelChoice[] {
  const centres = new Map((reference ?? []).map(({ name, std, sample }) => [name, { std, mean: meanOf(sample) }]));
  const priorities: Readonly<Record<LabelReason, (candidate: LabelCandidate) => number>> = {
    uncertain: ({ output }) => (task === 'binary' ? 1 - Math.abs(2 * output - 1) : 0),
    drifted: (candidate) => strangeness(candidate, centres),
    random: ({ predictionId }) => createHash('sha256').update(predictionId).digest().readUInt32BE(0) / 2 ** 32,
  };
  const taken = new Set<string>();
  return LABEL_REASONS.flatMap((reason) => {
    const ranked = candidates
      .filter(({ predictionId }) => !taken.has(predictionId))
      .map((candidate) => ({ predictionId: candidate.predictionId, reason, priority: priorities[reason](candidate) }))
      .filter(({ priority }) => priority > 0)
      .sort((a, b) => b.priority - a.priority || (a.predictionId < b.predictionId ? -1 : 1))
      .slice(0, most);
    for (const { predictionId } of ranked) taken.add(predictionId);
    return ranked;
  });
}

function strangeness(
  { names, features }: LabelCandidate,
  centres: ReadonlyMap<string, { readonly std: number; readonly mean: number }>,
): number {
  let sum = 0;
  let count = 0;
  for (const [index, name] of names.entries()) {
    const centre = centres.get(name);
    const value = features[index] ?? Number.NaN;
    if (!centre || Number.isNaN(value)) continue;
    const distance = Math.abs(value - centre.mean);
    sum += distance === 0 ? 0 : Math.min(distance / centre.std, FARTHEST);
    count += 1;
  }
  return count === 0 ? 0 : sum / count / FARTHEST;
}

function meanOf(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0) / values.length;
}
