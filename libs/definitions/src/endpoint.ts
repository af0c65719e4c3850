// What an Endpoint says: the model behind it, how new versions take over, and what becomes of doubtful requests.
import { parseDuration } from '@headrace/event-time';
import { z } from 'zod';
import { Duration, Identifier, Name } from './scalars';

/** As the pause of a step: a person must resume the rollout after the step has passed. */
export const UNTIL_RESUMED = 'until-resumed';

const Pause = z.string().superRefine((text, context) => {
  if (text === UNTIL_RESUMED) return;
  try {
    parseDuration(text);
  } catch (error) {
    context.addIssue({ code: 'custom', message: `${(error as Error).message}, or "${UNTIL_RESUMED}"` });
  }
});

const Step = z.strictObject({
  /** Share of requests that the candidate answers, percent. */
  weight: z.int().min(1).max(100),
  /** Wall clock that the step lasts at least, or "until-resumed". A pause is added to the analysis, it replaces none. */
  pause: Pause.optional(),
});

/**
 * Every request of a rollout is scored by both versions. The paired differences of their losses are averaged over
 * blocks of event time, and an anytime-valid confidence sequence on the block means decides (docs/adr/0010).
 */
const Analysis = z.strictObject({
  /** Error probability of the confidence sequence. */
  alpha: z.number().min(0.0001).max(0.5).default(0.05),
  /** Labelled pairs before the candidate may be promoted. */
  minimumPairsToPromote: z.int().min(1).default(1_000),
  /** Labelled pairs before the candidate may be rolled back. */
  minimumPairsToRollBack: z.int().min(1).default(300),
  /** Event time before the candidate may be promoted: at least one whole cycle of the data. */
  minimumDuration: Duration.default('1d'),
  /** Without a decision after this much event time: rolled back, the champion stays. */
  maximumDuration: Duration.default('10d'),
  /** Neighbours in time are alike: a block is made of whole buckets of this event time … */
  block: Duration.default('1h'),
  /** … until it holds this many pairs. */
  minimumPairsOfBlock: z.int().min(1).default(100),
  /** Requests that a version could not score, by error or by crash. No labels are needed for this. */
  failures: z
    .strictObject({
      /** Failures of the candidate before they may roll it back. */
      minimum: z.int().min(1).max(1_000_000).default(5),
      /** Share of requests by which the candidate may fail more often than the champion. */
      tolerance: z.number().min(0).max(0.5).default(0.01),
    })
    .prefault({}),
  /** A step without a request for so long (wall clock) is reported as inconclusive. */
  inconclusiveAfter: Duration.default('10m'),
});

const Rollout = z
  .strictObject({
    strategy: z.enum(['direct', 'canary', 'blue-green', 'shadow', 'ab', 'champion-challenger']).default('canary'),
    /** For canary and ab. */
    steps: z
      .array(Step)
      .min(1)
      .max(20)
      .default([{ weight: 20 }]),
    /** For ab: the request field or entity whose value decides which version answers, such as "customer". */
    unit: Identifier.optional(),
    /** For blue-green: so long after the switch (wall clock) the previous version stays ready to take over again. */
    keepPrevious: Duration.optional(),
    analysis: Analysis.prefault({}),
  })
  .superRefine(({ strategy, unit, keepPrevious }, context) => {
    const refuse = (path: string, message: string): void => context.addIssue({ code: 'custom', path: [path], message });
    if (strategy === 'ab' && unit === undefined) {
      refuse('unit', 'required by strategy ab: the request field or entity that keeps its version');
    }
    if (strategy !== 'ab' && unit !== undefined) refuse('unit', `is for strategy ab, not for ${strategy}`);
    if (strategy !== 'blue-green' && keepPrevious !== undefined) {
      refuse('keepPrevious', `is for strategy blue-green, not for ${strategy}`);
    }
  });

const Action = z.enum(['flag', 'fallback-model', 'default', 'refuse']);

const Guardrails = z.strictObject({
  /** A feature lies outside the values that the version was validated on. */
  outsideProfile: z
    .strictObject({
      action: Action,
      /** How far outside is allowed, as a share of the width of the profile's range. */
      tolerance: z.number().min(0).max(100).default(0),
    })
    .optional(),
  /** Binary models: the probability of the likelier class is below this. */
  lowConfidence: z.strictObject({ action: Action, below: z.number().gt(0.5).lt(1) }).optional(),
  /** More than so many features have no value. */
  missingFeatures: z.strictObject({ action: Action, moreThan: z.int().min(0).max(2_000).default(0) }).optional(),
  /** For action fallback-model: the version of the same model that answers instead. */
  fallbackVersion: z.int().min(1).optional(),
});

const MAX_PERSONAL = 256;

export const EndpointSpec = z
  .strictObject({
    model: Name,
    /** Field of the request that joins labels: its value equals the record key of the label stream. */
    joinKey: Identifier,
    features: z.strictObject({ timeout: Duration.default('2s') }).prefault({}),
    /** Answered when features or model cannot be had. */
    fallback: z.strictObject({ value: z.number() }).optional(),
    logging: z
      .strictObject({
        sampleRate: z.number().min(0).max(1).default(1),
        /** Request fields and entities whose values are personal data, and what the prediction log holds instead. */
        personal: z
          .record(Identifier, z.enum(['omit', 'pseudonym']))
          .refine((fields) => Object.keys(fields).length <= MAX_PERSONAL, `at most ${MAX_PERSONAL} fields`)
          .default({}),
      })
      .prefault({}),
    guardrails: Guardrails.optional(),
    rollout: Rollout.prefault({}),
  })
  .superRefine(({ guardrails, fallback, joinKey, logging }, context) => {
    if (Object.hasOwn(logging.personal, joinKey)) {
      const message = `labels are joined by "${joinKey}", so the log must hold it: choose a joinKey that tells nothing of a person`;
      context.addIssue({ code: 'custom', path: ['logging', 'personal', joinKey], message });
    }
    const declared = {
      outsideProfile: guardrails?.outsideProfile,
      lowConfidence: guardrails?.lowConfidence,
      missingFeatures: guardrails?.missingFeatures,
    };
    const actions = Object.values(declared).flatMap((rule) => (rule ? [rule.action] : []));
    for (const [name, rule] of Object.entries(declared)) {
      const refuse = (message: string): void =>
        context.addIssue({ code: 'custom', path: ['guardrails', name, 'action'], message });
      if (rule?.action === 'default' && fallback === undefined) refuse('default answers spec.fallback: declare one');
      if (rule?.action === 'fallback-model' && guardrails?.fallbackVersion === undefined) {
        refuse('fallback-model needs spec.guardrails.fallbackVersion');
      }
    }
    if (guardrails?.fallbackVersion !== undefined && !actions.includes('fallback-model')) {
      const path = ['guardrails', 'fallbackVersion'];
      context.addIssue({ code: 'custom', path, message: 'no guardrail has the action fallback-model' });
    }
  });
