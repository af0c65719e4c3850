// The trainer's profile.json (contract headrace.dev/profile/v1, trainers/tabular/README.md): what live traffic is compared with.
import { faultOfTree, type LossTree } from '@headrace/statistics';
import { z } from 'zod';

/** Tumbling windows of event time of one part, aligned to the epoch; those without rows are left out. */
const Windows = z.object({
  length_micros: z.int().positive(),
  starts: z.array(z.int()),
  rows: z.array(z.int().nonnegative()),
});

const Distribution = z.object({
  name: z.string(),
  /** Profiles of older trainers have no windows. */
  part: z.enum(['training', 'validation']).optional(),
  mean: z.number(),
  std: z.number(),
  /** All edges, smallest and largest value at the ends; bins are [edge, next edge), values outside count in the outermost. */
  edges: z.array(z.number()).min(2),
  counts: z.array(z.number()).min(1),
  /** At most 1,000 values, evenly spaced over the sorted ones. */
  sample: z.array(z.number()).min(1),
  /** The counts of each window of its part, in their order. */
  window_counts: z.array(z.array(z.number())).optional(),
});

/** Boosted trees: at most so many that one row is a matter of microseconds. */
const Trees = z
  .array(
    z.object({
      feature: z.array(z.int().min(-1)).max(1_000),
      value: z.array(z.number()),
      left: z.array(z.int()),
      right: z.array(z.int()),
      missing: z.array(z.int()),
    }),
  )
  .min(1)
  .max(500);

/** Says how wrong each answer of a regression is likely to be. */
const LossTrees = z
  .object({
    /** Names of the columns: features as 32-bit floats, the prediction last. */
    inputs: z.array(z.string()).min(1).max(10_000),
    absolute: Trees,
    squared: Trees,
  })
  .superRefine(({ inputs, absolute, squared }, context) => {
    for (const tree of [...absolute, ...squared]) {
      const fault = faultOfTree(tree, inputs.length);
      if (fault !== undefined) return context.addIssue({ code: 'custom', message: fault });
    }
    return undefined;
  });

const Profile = z.object({
  contract: z.literal('headrace.dev/profile/v1'),
  task: z.enum(['binary', 'regression']),
  features: z.array(Distribution),
  prediction: Distribution,
  label: z.object({ mean: z.number() }),
  performance: z.record(z.string(), z.object({ value: z.number() })),
  windows: z.object({ training: Windows, validation: Windows }).optional(),
  /** Rows of the validation part, with what the model of the backtest said. */
  labelled: z.object({ score: z.array(z.number()), label: z.array(z.number()) }).optional(),
  /** Null for binary models and few rows; profiles of older trainers have none. */
  loss_model: LossTrees.nullish(),
});

/** One distribution in the reference's own windows of time. */
export interface ReferenceWindows {
  readonly lengthMicros: number;
  readonly starts: readonly number[];
  /** Rows of each window, missing values included. */
  readonly rows: readonly number[];
  /** Counts in the bins of the whole, for each window. */
  readonly counts: readonly (readonly number[])[];
}

export interface ReferenceDistribution {
  readonly name: string;
  readonly std: number;
  readonly innerEdges: readonly number[];
  readonly counts: readonly number[];
  readonly sample: readonly number[];
  readonly windows: ReferenceWindows | undefined;
}

/** Trees by which the loss of an answer is expected from its features and itself. */
export interface LossTrees {
  readonly inputs: readonly string[];
  readonly absolute: readonly LossTree[];
  readonly squared: readonly LossTree[];
}

export interface ReferenceProfile {
  readonly task: 'binary' | 'regression';
  readonly features: readonly ReferenceDistribution[];
  readonly prediction: ReferenceDistribution;
  /** By statistic: auc, log_loss, brier; mae, rmse; and calibration (mean label − mean prediction). */
  readonly performance: Readonly<Record<string, number>>;
  /** Parallel; undefined in profiles of older trainers. */
  readonly labelled: { readonly scores: readonly number[]; readonly labels: readonly number[] } | undefined;
  readonly lossTrees: LossTrees | undefined;
}

/** Throws a ZodError or SyntaxError when the bytes are no such profile. */
export function readProfile(json: string): ReferenceProfile {
  const profile = Profile.parse(JSON.parse(json));
  const performance = Object.fromEntries(
    Object.entries(profile.performance).map(([name, measure]) => [name, measure.value]),
  );
  return {
    task: profile.task,
    features: profile.features.map((feature) => distributionOf(feature, profile.windows)),
    prediction: distributionOf(profile.prediction, profile.windows),
    performance: { ...performance, calibration: profile.label.mean - profile.prediction.mean },
    labelled: profile.labelled && { scores: profile.labelled.score, labels: profile.labelled.label },
    lossTrees: profile.loss_model ?? undefined,
  };
}

function distributionOf(
  found: z.output<typeof Distribution>,
  windows: z.output<typeof Profile>['windows'],
): ReferenceDistribution {
  const own = found.part && windows?.[found.part];
  return {
    name: found.name,
    std: found.std,
    innerEdges: found.edges.slice(1, -1),
    counts: found.counts,
    sample: found.sample,
    windows: own &&
      found.window_counts && {
        lengthMicros: own.length_micros,
        starts: own.starts,
        rows: own.rows,
        counts: found.window_counts,
      },
  };
}
