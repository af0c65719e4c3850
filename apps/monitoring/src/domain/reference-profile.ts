// The trainer's profile.json (contract headrace.dev/profile/v1, trainers/tabular/README.md): what live traffic is compared with.
import { faultOfTree, type LossTree, type Reconstruction } from '@headrace/statistics';
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

/** How the features go together; bounded, for every row of live traffic is projected on it. */
const Together = z
  .object({
    /** Parallel: the features, in any order. */
    features: z.array(z.string()).min(2).max(200),
    imputed: z.array(z.number()),
    means: z.array(z.number()),
    deviations: z.array(z.number().positive()),
    /** Rows of as many numbers. */
    components: z.array(z.array(z.number())).min(1),
    /** Sum of the errors of each window of the training part. */
    window_errors: z.array(z.number().nonnegative()),
  })
  .superRefine(({ features, imputed, means, deviations, components }, context) => {
    const width = features.length;
    for (const [name, numbers] of Object.entries({ imputed, means, deviations })) {
      if (numbers.length === width) continue;
      context.addIssue({ code: 'custom', path: [name], message: `${numbers.length} numbers of ${width} features` });
    }
    if (components.length >= width || components.some((component) => component.length !== width)) {
      const message = `expected fewer than ${width} components of ${width} numbers each`;
      context.addIssue({ code: 'custom', path: ['components'], message });
    }
  });

const Profile = z
  .object({
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
    /** Null for few rows or features; profiles of older trainers have none. */
    reconstruction: Together.nullish(),
  })
  .superRefine(({ reconstruction, windows }, context) => {
    const found = reconstruction?.window_errors.length;
    const expected = windows?.training.starts.length ?? 0;
    if (found === undefined || found === expected) return;
    const message = `found ${found}; expected one for each of the ${expected} windows of the training part`;
    context.addIssue({ code: 'custom', path: ['reconstruction', 'window_errors'], message });
  });

/** One distribution in the reference's own windows of time. */
export interface ReferenceWindows {
  /** Undefined: they are windows by count. */
  readonly lengthMicros: number | undefined;
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

/** How the features of the training go together, and the sum of their errors (as one count) in each of its windows. */
export interface ReferenceReconstruction extends Reconstruction {
  /** In the order of its numbers. */
  readonly features: readonly string[];
  readonly windows: ReferenceWindows;
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
  readonly reconstruction: ReferenceReconstruction | undefined;
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
    reconstruction: reconstructionOf(profile),
  };
}

function reconstructionOf({
  reconstruction: found,
  windows,
}: z.output<typeof Profile>): ReferenceReconstruction | undefined {
  if (!found || !windows) return undefined;
  const { window_errors: errors, ...fitted } = found;
  const { length_micros: lengthMicros, starts, rows } = windows.training;
  return { ...fitted, windows: { lengthMicros, starts, rows, counts: errors.map((error) => [error]) } };
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
