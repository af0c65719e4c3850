// The trainer's profile.json (contract headrace.dev/profile/v1, trainers/tabular/README.md): what live traffic is compared with.
import { z } from 'zod';

const Distribution = z.object({
  name: z.string(),
  mean: z.number(),
  std: z.number(),
  /** All edges, smallest and largest value at the ends; bins are [edge, next edge), values outside count in the outermost. */
  edges: z.array(z.number()).min(2),
  counts: z.array(z.number()).min(1),
  /** At most 1,000 values, evenly spaced over the sorted ones. */
  sample: z.array(z.number()).min(1),
});

const Profile = z.object({
  contract: z.literal('headrace.dev/profile/v1'),
  task: z.enum(['binary', 'regression']),
  features: z.array(Distribution),
  prediction: Distribution,
  label: z.object({ mean: z.number() }),
  performance: z.record(z.string(), z.object({ value: z.number() })),
});

export interface ReferenceDistribution {
  readonly name: string;
  readonly std: number;
  readonly innerEdges: readonly number[];
  readonly counts: readonly number[];
  readonly sample: readonly number[];
}

export interface ReferenceProfile {
  readonly task: 'binary' | 'regression';
  readonly features: readonly ReferenceDistribution[];
  readonly prediction: ReferenceDistribution;
  /** By statistic: auc, log_loss, brier; mae, rmse; and calibration (mean label − mean prediction). */
  readonly performance: Readonly<Record<string, number>>;
}

/** Throws a ZodError or SyntaxError when the bytes are no such profile. */
export function readProfile(json: string): ReferenceProfile {
  const profile = Profile.parse(JSON.parse(json));
  const performance = Object.fromEntries(
    Object.entries(profile.performance).map(([name, measure]) => [name, measure.value]),
  );
  return {
    task: profile.task,
    features: profile.features.map(distributionOf),
    prediction: distributionOf(profile.prediction),
    performance: { ...performance, calibration: profile.label.mean - profile.prediction.mean },
  };
}

function distributionOf(found: z.output<typeof Distribution>): ReferenceDistribution {
  return {
    name: found.name,
    std: found.std,
    innerEdges: found.edges.slice(1, -1),
    counts: found.counts,
    sample: found.sample,
  };
}
