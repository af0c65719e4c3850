// The trainer's contract headrace.dev/trainer/v1: what it is given and what it gives (trainers/tabular/README.md).
import type { Estimate } from '@headrace/contracts/proto/common/v1/common';
import type { TrainingPlan } from '@headrace/definitions';
import { z } from 'zod';

export const TRAINER_CONTRACT = 'headrace.dev/trainer/v1';

export interface TrainerSpec {
  readonly contract: typeof TRAINER_CONTRACT;
  readonly run_id: string;
  readonly training_set: { readonly path: string; readonly digest: string };
  readonly columns: {
    readonly features: readonly { readonly name: string; readonly type: string }[];
    readonly label: string;
    readonly event_time: string;
    readonly row_id: string;
  };
  readonly task: string;
  readonly split: { readonly validation_fraction: number };
  readonly algorithm: { readonly name: string; readonly params: Readonly<Record<string, number | string | boolean>> };
  readonly seed: number;
  readonly refit: boolean;
  readonly shuffle_labels: boolean;
  readonly champion: { readonly version: string; readonly path: string; readonly features: readonly string[] } | null;
  readonly threads: number;
  readonly output_dir: string;
}

export function trainerSpec(input: {
  readonly runId: string;
  readonly plan: TrainingPlan;
  readonly trainingSet: { readonly path: string; readonly digest: string };
  readonly columns: readonly { readonly name: string; readonly type: string }[];
  readonly shuffleLabels: boolean;
  readonly champion: TrainerSpec['champion'];
  readonly outputDirectory: string;
}): TrainerSpec {
  const { trainer, task, validationFraction, refit } = input.plan.spec;
  return {
    contract: TRAINER_CONTRACT,
    run_id: input.runId,
    training_set: input.trainingSet,
    columns: {
      features: input.columns.map(({ name, type }) => ({ name, type: type === '' ? 'double' : type })),
      label: 'label',
      event_time: 'event_time',
      row_id: 'row_id',
    },
    task,
    split: { validation_fraction: validationFraction },
    algorithm: { name: trainer.algorithm, params: trainer.parameters },
    seed: trainer.seed,
    refit,
    shuffle_labels: input.shuffleLabels,
    champion: input.champion,
    threads: trainer.threads,
    output_dir: input.outputDirectory,
  };
}

const Digest = z.string().regex(/^sha256:[0-9a-f]{64}$/, 'expected sha256: and 64 hexadecimal digits');
const Interval = z.object({ value: z.number(), low: z.number(), high: z.number() });
const Tensor = z.object({ name: z.string(), datatype: z.string(), shape: z.array(z.int()) });
const Rows = z.int().min(0);

/** result.json, as far as Headrace reads it. Unknown fields are left to later readers of the artifact. */
export const TrainerResult = z.object({
  contract: z.literal(TRAINER_CONTRACT),
  run_id: z.string(),
  model: z.object({ digest: Digest, size_bytes: z.int().min(1) }),
  profile: z.object({ digest: Digest }),
  signature: z.object({ inputs: z.array(Tensor).min(1), outputs: z.array(Tensor).min(1) }),
  features: z.array(z.string()).min(1),
  task: z.enum(['binary', 'regression']),
  training_set: z.object({ digest: Digest }),
  refit: z.boolean(),
  shuffle_labels: z.boolean(),
  /** `registered`: what the written model was fitted on. */
  rows: z.object({ train: Rows, validation: Rows, registered: Rows }),
  event_time: z.object({ train_from: z.int(), registered_to: z.int() }),
  metrics: z.object({ validation: z.record(z.string(), Interval) }),
  champion: z
    .object({
      version: z.string(),
      metrics: z.record(z.string(), Interval),
      brier_difference: Interval.optional(),
      mse_difference: Interval.optional(),
    })
    .nullable(),
  seed: z.int(),
  environment: z.object({ lock_digest: Digest.nullable() }),
  parity: z.object({ max_abs_difference: z.number().min(0) }),
});
export type TrainerResult = z.output<typeof TrainerResult>;

export type ReadResult =
  { readonly kind: 'result'; readonly result: TrainerResult } | { readonly kind: 'invalid'; readonly message: string };

/** Reads result.json and checks that it answers this specification. */
export function readTrainerResult(text: string, spec: TrainerSpec): ReadResult {
  let document: unknown;
  try {
    document = JSON.parse(text);
  } catch (error) {
    return { kind: 'invalid', message: `result.json: ${(error as Error).message}` };
  }
  const parsed = TrainerResult.safeParse(document);
  if (!parsed.success) {
    const faults = parsed.error.issues.map((issue) => `${issue.path.map(String).join('.')}: ${issue.message}`);
    return { kind: 'invalid', message: `result.json: ${faults.slice(0, 5).join('; ')}` };
  }
  const fault = mismatch(parsed.data, spec);
  return fault === undefined
    ? { kind: 'result', result: parsed.data }
    : { kind: 'invalid', message: `result.json: ${fault}` };
}

function mismatch(result: TrainerResult, spec: TrainerSpec): string | undefined {
  const asked = spec.columns.features.map((feature) => feature.name);
  const pairs: readonly (readonly [string, unknown, unknown])[] = [
    ['run_id', result.run_id, spec.run_id],
    ['task', result.task, spec.task],
    ['training_set.digest', result.training_set.digest, spec.training_set.digest],
    ['refit', result.refit, spec.refit],
    ['shuffle_labels', result.shuffle_labels, spec.shuffle_labels],
    ['seed', result.seed, spec.seed],
    ['features', result.features.join(', '), asked.join(', ')],
  ];
  const wrong = pairs.find(([, found, expected]) => found !== expected);
  return wrong && `${wrong[0]}: found ${String(wrong[1])}, asked for ${String(wrong[2])}`;
}

export function estimates(intervals: Readonly<Record<string, z.output<typeof Interval>>>): Record<string, Estimate> {
  return Object.fromEntries(
    Object.entries(intervals).map(([name, { value, low, high }]) => [name, { value, low, high }]),
  );
}

/** Loss of the champion minus loss of the new model: positive is better. Undefined without a champion. */
export function improvementOf(result: TrainerResult): Estimate | undefined {
  const difference = result.champion?.brier_difference ?? result.champion?.mse_difference;
  return difference && { value: difference.value, low: difference.low, high: difference.high };
}

/** One line of the trainer's standard output. */
const Progress = z.object({ step: z.string().max(50), message: z.string().max(500) });

export function readProgress(line: string): { readonly step: string; readonly message: string } | undefined {
  try {
    const parsed = Progress.safeParse(JSON.parse(line));
    return parsed.success ? parsed.data : undefined;
  } catch (error) {
    if (error instanceof SyntaxError) return undefined;
    throw error;
  }
}
