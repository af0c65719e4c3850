// What makes an answer doubtful, and what the endpoint wants done about it.

/** From the mildest to the strictest; when several guardrails act, the strictest action is taken. */
export const guardrailActions = ['flag', 'fallback-model', 'default', 'refuse'] as const;
export type GuardrailAction = (typeof guardrailActions)[number];
export type Guardrail = 'outside_profile' | 'low_confidence' | 'missing_features';

export interface GuardrailRules {
  readonly outsideProfile: { readonly action: GuardrailAction; readonly tolerance: number } | undefined;
  readonly lowConfidence: { readonly action: GuardrailAction; readonly below: number } | undefined;
  readonly missingFeatures: { readonly action: GuardrailAction; readonly moreThan: number } | undefined;
}

/** Smallest and largest value of a feature in the version's profile, by its place in the input; undefined: not in it. */
export type FeatureRanges = readonly ({ readonly low: number; readonly high: number } | undefined)[];

export interface Doubtful {
  readonly names: readonly string[];
  /** NaN: missing. */
  readonly values: readonly number[];
  readonly ranges: FeatureRanges;
  readonly task: string;
  /** Probability of class 1, or the predicted number. */
  readonly output: number;
}

export interface Breach {
  readonly guardrail: Guardrail;
  readonly action: GuardrailAction;
  /** One sentence without values of features: they may be personal data. */
  readonly reason: string;
}

/** Features named in one reason. */
const MOST_NAMED = 10;

/** Rows of one request, one behind the other. */
export interface DoubtfulRows extends Omit<Doubtful, 'values' | 'output'> {
  readonly rows: number;
  /** `names.length` values for each row; NaN: missing. */
  readonly values: Float32Array;
  /** Of each row. */
  readonly outputs: readonly number[];
}

/** Every guardrail that acts on any of the rows, with the first of them. */
export function breachesOfRows(rules: GuardrailRules, request: DoubtfulRows): Breach[] {
  const { rows, names, values, outputs, ...rest } = request;
  const declared = [rules.outsideProfile, rules.lowConfidence, rules.missingFeatures].filter(Boolean).length;
  const found = new Map<Guardrail, Breach>();
  for (let row = 0; row < rows && found.size < declared; row += 1) {
    const own = Array.from(values.subarray(row * names.length, (row + 1) * names.length));
    for (const breach of breachesOf(rules, { ...rest, names, values: own, output: outputs[row] ?? NaN })) {
      if (found.has(breach.guardrail)) continue;
      const where = rows === 1 ? '' : `row ${row + 1} of ${rows}: `;
      found.set(breach.guardrail, { ...breach, reason: where + breach.reason });
    }
  }
  return [...found.values()];
}

/** Every guardrail that acts; empty: the answer is as good as any. */
export function breachesOf(rules: GuardrailRules, request: Doubtful): Breach[] {
  const breaches: Breach[] = [];
  const { names, values } = request;
  const { outsideProfile, lowConfidence, missingFeatures } = rules;
  if (missingFeatures) {
    const missing = names.filter((_, index) => Number.isNaN(values[index] ?? NaN));
    if (missing.length > missingFeatures.moreThan) {
      const reason = `${missing.length} features have no value: ${named(missing)}`;
      breaches.push({ guardrail: 'missing_features', action: missingFeatures.action, reason });
    }
  }
  if (outsideProfile) {
    const outside = names.filter((_, index) =>
      isOutside(values[index], request.ranges[index], outsideProfile.tolerance),
    );
    if (outside.length > 0) {
      const reason = `outside of what the version was validated on: ${named(outside)}`;
      breaches.push({ guardrail: 'outside_profile', action: outsideProfile.action, reason });
    }
  }
  if (lowConfidence && request.task === 'binary') {
    const confidence = Math.max(request.output, 1 - request.output);
    if (confidence < lowConfidence.below) {
      const reason = `confidence ${confidence.toFixed(3)} is below ${lowConfidence.below}`;
      breaches.push({ guardrail: 'low_confidence', action: lowConfidence.action, reason });
    }
  }
  return breaches;
}

export function strictest(breaches: readonly Breach[]): GuardrailAction {
  const places = breaches.map(({ action }) => guardrailActions.indexOf(action));
  return guardrailActions[Math.max(0, ...places)] ?? 'flag';
}

/** Missing values are no values outside. */
function isOutside(value: number | undefined, range: FeatureRanges[number], tolerance: number): boolean {
  if (value === undefined || Number.isNaN(value) || !range) return false;
  const margin = (range.high - range.low) * tolerance;
  return value < range.low - margin || value > range.high + margin;
}

function named(features: readonly string[]): string {
  const more = features.length - MOST_NAMED;
  return features.slice(0, MOST_NAMED).join(', ') + (more > 0 ? ` and ${more} more` : '');
}
