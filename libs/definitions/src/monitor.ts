// What a Monitor says: what is judged, what counts as worse, and what follows.
import { z } from 'zod';
import { checkExpression } from './expressions';
import { Labelling } from './labelling';
import { metricFault } from './metric-expressions';
import { Retraining } from './retraining';
import { Cel, Duration, Identifier, Label, Name } from './scalars';

/** Distances whose distribution without change is known: the profile has the counts of the reference's own windows. */
const OF_BINS: ReadonlySet<string> = new Set(['psi', 'js', 'hellinger', 'kullback_leibler', 'total_variation']);

/** All features together, as a subject. */
const TOGETHER = 'features';
const OF_TOGETHER = 'reconstruction_error';

const DriftTest = z
  .strictObject({
    /** "prediction", a feature's name, or "features": all of them together. */
    subject: z.string().min(1).max(100),
    statistic: z.enum([
      // By the size of the reference and the number of its different values.
      'default',
      // Distances: drift at or above the threshold.
      'psi',
      'ks',
      'js',
      'wasserstein',
      'hellinger',
      'kullback_leibler',
      'total_variation',
      'energy',
      // p-values: drift at or below it, adjusted over all p-values of the window.
      'ks_p',
      'anderson_darling_p',
      'mann_whitney_p',
      'chi_square_p',
      'g_p',
      // Of "features" alone: how far the mean reconstruction error lies from the training's, in standard deviations of its windows.
      OF_TOGETHER,
    ]),
    /** Of reconstruction_error 3, if nothing else is said. */
    threshold: z.number().positive().optional(),
    /**
     * Probability that a window without any change crosses: the threshold is taken from the reference's own windows. With
     * "threshold" too, that one is taken while the reference has too few windows.
     */
    falseAlarms: z.number().positive().max(0.5).optional(),
  })
  .superRefine((test, context) => {
    if (test.statistic === OF_TOGETHER && test.subject !== TOGETHER) {
      const message = `${OF_TOGETHER} is of all features together: expected "${TOGETHER}"`;
      context.addIssue({ code: 'custom', path: ['subject'], message });
    }
    if (test.subject === TOGETHER && test.statistic !== OF_TOGETHER) {
      const message = `of "${TOGETHER}", all of them together, there is ${OF_TOGETHER} alone; for ${test.statistic} name one feature`;
      context.addIssue({ code: 'custom', path: ['statistic'], message });
      return;
    }
    if (test.statistic === 'default') {
      for (const field of ['threshold', 'falseAlarms'] as const) {
        if (test[field] === undefined) continue;
        const message = 'not for "default", whose statistic and threshold go together: name the statistic instead';
        context.addIssue({ code: 'custom', path: [field], message });
      }
      return;
    }
    if (test.falseAlarms !== undefined && !OF_BINS.has(test.statistic) && test.statistic !== OF_TOGETHER) {
      const message = `is for ${OF_TOGETHER} and distances over bins (${[...OF_BINS].join(', ')}); for ${test.statistic} name a threshold`;
      context.addIssue({ code: 'custom', path: ['falseAlarms'], message });
    }
    if (test.threshold === undefined) {
      if (test.falseAlarms !== undefined || test.statistic === OF_TOGETHER) return;
      context.addIssue({ code: 'custom', path: ['threshold'], message: `required by ${test.statistic}` });
    } else if (test.statistic.endsWith('_p') && test.threshold >= 1) {
      const message = 'a false discovery rate: expected a number below 1, such as 0.05';
      context.addIssue({ code: 'custom', path: ['threshold'], message });
    }
  });

/** What drift windows are compared with: the training profile, or closed windows of the same version. */
const DriftReference = z.discriminatedUnion('kind', [
  z.strictObject({ kind: z.literal('training') }),
  z.strictObject({
    kind: z.literal('moving'),
    /** The last so many before the judged one that have the minimum sample. */
    windows: z.int().min(1).max(100),
    /** While there are fewer, windows are not judged; absent: all of them. */
    atLeast: z.int().min(1).max(100).optional(),
  }),
  z.strictObject({
    kind: z.literal('same-weekday'),
    /** Those that lie 1, 2, … so many weeks before: the same weekday, and the same time of it. */
    weeks: z.int().min(1).max(52),
    atLeast: z.int().min(1).max(52).optional(),
  }),
]);

/** Of measured and estimated performance: higher is better. */
const RISING = ['auc', 'accuracy', 'precision', 'recall', 'specificity', 'f1', 'r2'] as const;

/** Crossed when so much worse than the reference profile. */
function worseThanReference<S extends z.ZodType<string>>(statistic: S) {
  return z
    .strictObject({
      statistic,
      /** By at least this much (calibration: its absolute value). */
      worseBy: z.number().positive().optional(),
      /** At least this many times the reference (losses only). */
      worseByFactor: z.number().gt(1).optional(),
    })
    .superRefine((test, context) => {
      if ((test.worseBy === undefined) === (test.worseByFactor === undefined)) {
        context.addIssue({ code: 'custom', message: 'expected either "worseBy" or "worseByFactor"' });
      }
      const name: string = (test as { readonly statistic: string }).statistic;
      if (test.worseByFactor !== undefined && [...RISING, 'calibration'].includes(name)) {
        const message = `is for losses; for ${name} use worseBy`;
        context.addIssue({ code: 'custom', path: ['worseByFactor'], message });
      }
    });
}

const PerformanceTest = worseThanReference(
  z.enum(['brier', 'log_loss', 'calibration', 'ece', 'mae', 'rmse', 'mape', ...RISING]),
);

/** Of binary models; of regressions mae and rmse. */
const EstimateTest = worseThanReference(
  z.enum(['accuracy', 'precision', 'recall', 'specificity', 'f1', 'auc', 'mae', 'rmse']),
);

/**
 * Windows are also shown by the groups of a feature's values: between edges (closed at the left), or at declared values. What
 * is served to a request as a feature is what monitoring keeps of it; entities and request fields it does not.
 */
const Slice = z
  .strictObject({
    feature: z.string().min(1).max(100),
    /** Rising. */
    edges: z
      .array(z.number())
      .min(1)
      .max(11)
      .refine(
        (edges) => edges.every((edge, place) => place === 0 || edge > (edges[place - 1] ?? edge)),
        'expected them to rise',
      )
      .optional(),
    values: z
      .array(z.number())
      .min(1)
      .max(12)
      .refine((values) => new Set(values).size === values.length, 'expected each at most once')
      .optional(),
    /** Groups with fewer rows are counted, not measured. */
    minimumSample: z.int().min(1).default(50),
  })
  .refine(
    (slice) => (slice.edges === undefined) !== (slice.values === undefined),
    'expected either "edges" or "values"',
  );

/** What predictions are worth, over each performance window: a CEL expression over one labelled prediction. */
const BusinessMetric = z
  .strictObject({
    name: Identifier,
    /** Over `prediction`, `label`, `features` and `record` (of the label); a number, or true and false. */
    expression: Cel,
    /** count: predictions for which it is true, or not 0. */
    aggregate: z.enum(['mean', 'sum', 'count']),
    /** For people. */
    unit: z.string().min(1).max(20).optional(),
    /** Crosses beside the tests of `performance`: exactly one bound. */
    test: z
      .strictObject({ above: z.number().optional(), below: z.number().optional() })
      .refine((test) => (test.above === undefined) !== (test.below === undefined), 'expected either "above" or "below"')
      .optional(),
  })
  .superRefine(({ expression }, context) => {
    // One that does not parse is told of by its own schema.
    const fault = checkExpression(expression) === undefined ? metricFault(expression) : undefined;
    if (fault !== undefined) context.addIssue({ code: 'custom', path: ['expression'], message: fault });
  });

/** Cut where so many predictions have come, instead of after so much time. */
const CountedWindow = z.strictObject({
  /** Of performance and concept drift those that have a label. */
  predictions: z.int().min(50).max(1_000_000),
  /** From the first prediction in it: then it ends with fewer. Absent: it waits. */
  maximumAge: Duration.optional(),
});

const Hysteresis = z
  .strictObject({ k: z.int().min(1).max(100), n: z.int().min(1).max(100) })
  .refine((rule) => rule.k <= rule.n, 'k of n windows: expected k ≤ n');

/**
 * ddm and eddm see wrong answers (binary models: the answer at the decision threshold), adwin the squared error of a
 * probability; page_hinkley and kswin that, or the absolute error of a regression.
 */
const ErrorDetector = z.discriminatedUnion('detector', [
  z.strictObject({
    detector: z.literal('ddm'),
    /** Standard deviations above the best error rate so far that are a drift. */
    deviations: z.number().min(1).max(100).default(3),
  }),
  z.strictObject({
    detector: z.literal('eddm'),
    /** Share of the best distance between errors below which it is a drift. */
    beta: z.number().gt(0).lt(1).default(0.9),
  }),
  z.strictObject({
    detector: z.literal('adwin'),
    /** Confidence: smaller is calmer. */
    delta: z.number().gt(0).lt(1).default(0.002),
  }),
  z.strictObject({
    detector: z.literal('page_hinkley'),
    /** Cumulated deviation that is a drift, in units of the error. */
    threshold: z.number().positive().default(50),
    /** Change of the mean error that is tolerated. */
    delta: z.number().nonnegative().default(0.005),
  }),
  z.strictObject({
    detector: z.literal('kswin'),
    /** Level of the test at every value. */
    alpha: z.number().gt(0).lt(1).default(0.0001),
  }),
]);

export const MonitorSpec = z.strictObject({
  endpoint: Name,
  label: Label,
  /** Tumbling windows of event time: drift by the predictions' as-of time, performance by the labels' event time. */
  window: z
    .union([Duration, CountedWindow], 'expected a length such as 1d, or a number of predictions: { predictions: 5000 }')
    .default('1d'),
  /** Windows with fewer predictions (drift) or labels (performance) are not judged. */
  minimumSample: z.int().min(1).default(200),
  /** Binary models: scores at or above it count as positive, for measures of answers (accuracy, precision, …). */
  decisionThreshold: z.number().gt(0).lt(1).default(0.5),
  drift: z
    .strictObject({
      /** Absent: training. */
      reference: DriftReference.optional(),
      tests: z.array(DriftTest).min(1).max(2_000),
      /** A window drifts when at least this many tests crossed. */
      crossings: z.int().min(1).default(1),
      rule: Hysteresis.default({ k: 2, n: 3 }),
    })
    .superRefine(({ reference, tests }, context) => {
      if (reference === undefined || reference.kind === 'training') return;
      for (const [index, { statistic }] of tests.entries()) {
        if (statistic !== OF_TOGETHER) continue;
        const message = `${OF_TOGETHER} is compared with the training profile, not with a ${reference.kind} reference: leave out "reference", or watch it by a Monitor of its own`;
        context.addIssue({ code: 'custom', path: ['tests', index, 'statistic'], message });
      }
    })
    .optional(),
  performance: z
    .strictObject({
      tests: z.array(PerformanceTest).min(1).max(100),
      crossings: z.int().min(1).default(1),
      rule: Hysteresis.default({ k: 2, n: 3 }),
    })
    .optional(),
  slices: z
    .array(Slice)
    .max(5)
    .refine((all) => new Set(all.map((one) => one.feature)).size === all.length, 'expected each feature at most once')
    .optional(),
  metrics: z
    .array(BusinessMetric)
    .max(20)
    .refine((all) => new Set(all.map((one) => one.name)).size === all.length, 'expected each name at most once')
    .optional(),
  /** Performance as estimated from what was asked and answered, before labels come. */
  estimate: z
    .strictObject({
      tests: z.array(EstimateTest).min(1).max(100),
      crossings: z.int().min(1).default(1),
      rule: Hysteresis.default({ k: 2, n: 3 }),
    })
    .optional(),
  /** Detectors on the stream of errors, label by label: the relation between inputs and truth changed. */
  concept: z
    .strictObject({
      detectors: z
        .array(ErrorDetector)
        .min(1)
        .refine(
          (all) => new Set(all.map((one) => one.detector)).size === all.length,
          'expected each detector at most once',
        ),
      /** A window counts when at least this many detectors found a drift in it. */
      crossings: z.int().min(1).default(1),
      rule: Hysteresis.default({ k: 1, n: 3 }),
    })
    .optional(),
  retraining: Retraining.optional(),
  labelling: Labelling.optional(),
});
