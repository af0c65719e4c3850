// The six kinds of documents that a user writes. The owner of each kind validates it with these schemas.
import { z } from 'zod';
import { EndpointSpec } from './endpoint';
import { MonitorSpec } from './monitor';
import { Cel, Duration, Identifier, Label, Name, TopicName } from './scalars';

const Field = z.strictObject({
  type: z.enum(['string', 'int', 'double', 'bool', 'timestamp']),
  /** An absent or null field is a violation. */
  required: z.boolean().default(true),
  min: z.number().optional(),
  max: z.number().optional(),
  maxLength: z.int().min(1).max(65_536).optional(),
  pattern: z.string().max(500).optional(),
  oneOf: z
    .array(z.union([z.string(), z.number()]))
    .min(1)
    .max(1_000)
    .optional(),
});

const DataStreamSpec = z.strictObject({
  /** Where upstream systems publish. */
  source: z.strictObject({ kafka: z.strictObject({ topic: TopicName }) }),
  /** Field whose value keys the record. */
  key: Identifier,
  /** Timestamp field: when it happened. */
  eventTime: Identifier,
  /** Timestamp field: when the system could know it. Absent: the clock at acceptance. */
  knownTime: Identifier.optional(),
  fields: z.record(Identifier, Field),
  expectations: z
    .array(
      z.strictObject({
        name: Identifier,
        /** Over `record`; must be true. */
        expression: Cel,
        action: z.enum(['reject', 'warn']).default('reject'),
        message: z.string().max(500).optional(),
      }),
    )
    .max(200)
    .default([]),
  dataset: z
    .strictObject({
      /** A version is committed when this many rows are new. */
      commitEveryRows: z.int().min(1).max(10_000_000).default(10_000),
      /** Fewer new rows become a version too when nothing more has been accepted for this long (wall clock). */
      commitWhenQuiet: Duration.default('1m'),
    })
    .prefault({}),
  quality: z
    .strictObject({
      window: Duration.default('1d'),
      /** Least share of accepted records in a window. */
      threshold: z.number().min(0).max(1).default(0.95),
      minimumRecords: z.int().min(1).default(50),
    })
    .prefault({}),
});

const Aggregate = z
  .strictObject({
    name: Identifier,
    function: z.enum(['count', 'sum', 'mean', 'min', 'max', 'stddev']),
    /** Over `record`: the number (or bool, as 0 and 1) that is aggregated. Not for count. */
    of: Cel.optional(),
    /** (t − window, t]. */
    window: Duration,
  })
  .superRefine((aggregate, context) => {
    if (aggregate.function !== 'count' && aggregate.of === undefined) {
      context.addIssue({
        code: 'custom',
        path: ['of'],
        message: `required by function ${aggregate.function}: a CEL expression over record`,
      });
    }
  });

const FeatureViewSpec = z.strictObject({
  /** DataStream whose records are aggregated. */
  source: Name,
  entity: z.strictObject({
    name: Identifier,
    /** Over `record`: the entity key, a string. */
    key: Cel,
  }),
  /** Over `record`: only records for which it is true count. */
  where: Cel.optional(),
  features: z.array(Aggregate).min(1).max(500),
  /** How far back an as-of may lie, beyond the longest window. */
  retention: Duration.default('10d'),
});

const FeatureInput = z
  .strictObject({
    name: Identifier,
    /** Over `request` (the fields of the spine record, or of the prediction request): number or bool. */
    request: Cel.optional(),
    view: Name.optional(),
    feature: Identifier.optional(),
  })
  .superRefine((input, context) => {
    const fromView = input.view !== undefined && input.feature !== undefined;
    if ((input.request !== undefined) === fromView || (input.view !== undefined) !== (input.feature !== undefined)) {
      context.addIssue({ code: 'custom', message: 'expected either "request", or both "view" and "feature"' });
    }
  });

const TrainingPlanSpec = z.strictObject({
  model: Name,
  task: z.enum(['binary', 'regression']),
  /** One row a record of this stream: the moments at which predictions are asked for. */
  spine: z.strictObject({
    stream: Name,
    /** Entity name → over `record`: its key. */
    entities: z.record(Identifier, Cel).default({}),
  }),
  label: Label,
  features: z.array(FeatureInput).min(1).max(2_000),
  /** Only the newest part of the spine, by event time; absent: all of it. */
  lookback: Duration.optional(),
  /** The last share of rows by event time validates (a backtest: metrics, gates and the reference profile). */
  validationFraction: z.number().min(0.05).max(0.5).default(0.2),
  /** After the backtest the same algorithm is fitted again on all rows; that model is registered. */
  refit: z.boolean().default(true),
  trainer: z.strictObject({
    name: z.enum(['tabular']).default('tabular'),
    algorithm: z.enum(['lightgbm', 'logistic_regression', 'linear_regression']),
    parameters: z.record(Identifier, z.union([z.number(), z.string(), z.boolean()])).default({}),
    seed: z.int().min(0).max(2_147_483_647).default(7),
    threads: z.int().min(1).max(64).default(1),
  }),
  triggers: z
    .strictObject({
      /** First training once the dataset versions hold this many spine rows. */
      initialSpineRows: z.int().min(1).optional(),
      /** Answer RetrainingRequested. */
      onRetrainingRequested: z.boolean().default(true),
    })
    .prefault({}),
  timeout: Duration.default('10m'),
  attempts: z.int().min(1).max(10).default(2),
});

const Replay = z.strictObject({
  /** Endpoint of the model, watched by a Monitor: its requests and their labels. */
  endpoint: Name,
  /** So far back from the newest labelled request, by event time. What the version was trained on is left out. */
  since: Duration.default('7d'),
  /** Labelled requests that it takes. */
  minimumRows: z.int().min(30).max(500_000).default(300),
  /** How long labels may take to come (wall clock). */
  wait: Duration.default('1h'),
  /** When it cannot be told by then. */
  whenInconclusive: z.enum(['pass', 'fail']).default('fail'),
});

const Gate = z
  .strictObject({
    name: Identifier,
    /**
     * A validation metric (auc, log_loss, brier, accuracy; mae, rmse, r2), "improvement" (loss of the champion minus
     * loss of this version on the same rows), "model_size_bytes", "parity", "training_rows" or "validation_rows".
     */
    metric: Identifier,
    min: z.number().optional(),
    max: z.number().optional(),
    /** Which end of the metric's interval is compared. */
    bound: z.enum(['value', 'low', 'high']).default('value'),
    /** Passes when there is nothing to compare with yet (improvement without a champion). */
    passWhenAbsent: z.boolean().default(false),
    /** The metric is of past requests whose labels have come, as the version would have answered them. */
    replay: Replay.optional(),
  })
  .superRefine((gate, context) => {
    if (gate.replay && gate.passWhenAbsent) {
      context.addIssue({ code: 'custom', path: ['passWhenAbsent'], message: 'a replay has "replay.whenInconclusive"' });
    }
    if (gate.min === undefined && gate.max === undefined) {
      context.addIssue({ code: 'custom', message: 'expected "min", "max" or both' });
    }
  });

const ModelSpec = z.strictObject({
  task: z.enum(['binary', 'regression']),
  gates: z.array(Gate).max(200).default([]),
  /** automatic: a version that passed its gates rolls out to the endpoints of the model by itself. */
  promotion: z.enum(['automatic', 'manual']).default('automatic'),
});

export const API_VERSION = 'headrace.dev/v1';

function document<K extends string, S extends z.ZodType>(kind: K, spec: S) {
  return z.strictObject({
    apiVersion: z.literal(API_VERSION),
    kind: z.literal(kind),
    metadata: z.strictObject({ name: Name, description: z.string().max(2_000).optional() }),
    spec,
  });
}

export const kinds = {
  DataStream: document('DataStream', DataStreamSpec),
  FeatureView: document('FeatureView', FeatureViewSpec),
  TrainingPlan: document('TrainingPlan', TrainingPlanSpec),
  Model: document('Model', ModelSpec),
  Endpoint: document('Endpoint', EndpointSpec),
  Monitor: document('Monitor', MonitorSpec),
} as const;

export type Kind = keyof typeof kinds;

/** The service that validates, keeps and publishes each kind. */
export const ownerOf: Readonly<Record<Kind, string>> = {
  DataStream: 'ingestion',
  FeatureView: 'feature-store',
  TrainingPlan: 'training',
  Model: 'registry',
  Endpoint: 'registry',
  Monitor: 'monitoring',
};

export type DefinitionOf<K extends Kind> = z.output<(typeof kinds)[K]>;
export type Definition = { [K in Kind]: DefinitionOf<K> }[Kind];
export type DataStream = DefinitionOf<'DataStream'>;
export type FeatureView = DefinitionOf<'FeatureView'>;
export type TrainingPlan = DefinitionOf<'TrainingPlan'>;
export type Model = DefinitionOf<'Model'>;
export type Endpoint = DefinitionOf<'Endpoint'>;
export type Monitor = DefinitionOf<'Monitor'>;

/** "<Kind>/<name>" of everything that a definition refers to. */
export function referencesOf(definition: Definition): string[] {
  switch (definition.kind) {
    case 'DataStream':
    case 'Model':
      return [];
    case 'FeatureView':
      return [`DataStream/${definition.spec.source}`];
    case 'TrainingPlan':
      return [
        ...new Set([
          `Model/${definition.spec.model}`,
          `DataStream/${definition.spec.spine.stream}`,
          `DataStream/${definition.spec.label.stream}`,
          ...definition.spec.features.flatMap((input) =>
            input.view === undefined ? [] : [`FeatureView/${input.view}`],
          ),
        ]),
      ];
    case 'Endpoint':
      return [`Model/${definition.spec.model}`];
    case 'Monitor':
      return [
        `Endpoint/${definition.spec.endpoint}`,
        `DataStream/${definition.spec.label.stream}`,
        ...(definition.spec.retraining ? [`TrainingPlan/${definition.spec.retraining.plan}`] : []),
      ];
  }
}
