// CEL over one labelled prediction: what it was worth. All numbers are doubles there: CEL multiplies no double by an int.
import { celEnv, isCelError, parse, plan, type CelInput } from '@bufbuild/cel';
import { fieldsIn, variablesIn } from './expression-fields';

export type MetricScalar = number | string | boolean;

/** What an expression sees; a field that is missing is absent. */
export interface MetricRow {
  readonly prediction: {
    /** What was answered, by whichever version. */
    readonly output: number;
    /** What the version that is judged said of it. */
    readonly score: number;
    /** That answered. */
    readonly version: number;
  };
  /** 0 or 1 of a binary model. */
  readonly label: number;
  readonly features: Readonly<Record<string, number>>;
  /** Of the label's record. */
  readonly record: Readonly<Record<string, MetricScalar>>;
}

export type MetricValue =
  | { readonly kind: 'number'; readonly value: number }
  | { readonly kind: 'truth'; readonly value: boolean }
  | { readonly kind: 'failed'; readonly message: string };

export type MetricExpression = (row: MetricRow) => MetricValue;

const OF_PREDICTION = ['output', 'score', 'version'];
const VARIABLES = ['prediction', 'label', 'features', 'record'];
/** Most fields of one variable that an expression may read: each is kept or looked up for every row. */
const MOST_FIELDS = 20;

const environment = celEnv();

/** Throws on a source that does not parse. */
export function compileMetric(source: string): MetricExpression {
  const program = plan(environment, parse(source));
  return ({ prediction, label, features, record }) => {
    const input: Record<string, CelInput> = {
      prediction: { ...prediction },
      label,
      features: { ...features },
      record: { ...record },
    };
    const found: unknown = program(input);
    if (isCelError(found)) return { kind: 'failed', message: found.message };
    if (typeof found === 'boolean') return { kind: 'truth', value: found };
    const value = typeof found === 'bigint' ? Number(found) : found;
    if (typeof value === 'number' && Number.isFinite(value)) return { kind: 'number', value };
    return { kind: 'failed', message: typeof value === 'number' ? `it gives ${value}` : `it gives a ${typeof value}` };
  };
}

/** Which features and which fields of the label's record the expression reads. Throws on a source that does not parse. */
export function metricFieldsOf(source: string): { readonly features: string[]; readonly record: string[] } {
  const of = (variable: string): string[] => {
    const { read, optional } = fieldsIn(source, variable);
    return [...new Set([...read, ...optional])];
  };
  return { features: of('features'), record: of('record') };
}

/** Why the expression can be computed for no row, or undefined. The source parses. */
export function metricFault(source: string): string | undefined {
  const variables = variablesIn(source);
  for (const name of ['request', 'entities']) {
    if (!variables.has(name)) continue;
    return `monitoring does not keep what a request was asked with (${name}): serve it as a feature, or send it with the label (record)`;
  }
  const unknown = [...variables].filter((name) => !VARIABLES.includes(name));
  if (unknown.length > 0) return `"${unknown.join('", "')}" is not known: expected ${VARIABLES.join(', ')}`;
  const ofPrediction = fieldsIn(source, 'prediction');
  const [wrong] = [...ofPrediction.read, ...ofPrediction.optional].filter((name) => !OF_PREDICTION.includes(name));
  if (wrong !== undefined || ofPrediction.whole) {
    const found = wrong === undefined ? 'prediction as a whole' : `prediction.${wrong}`;
    return `found ${found}, expected prediction.${OF_PREDICTION.join(', prediction.')}`;
  }
  for (const variable of ['features', 'record']) {
    const { read, optional, whole } = fieldsIn(source, variable);
    if (whole) return `${variable}: name the fields that are read, as ${variable}.distance: only they are kept`;
    if (read.size + optional.size > MOST_FIELDS) return `${variable}: expected at most ${MOST_FIELDS} fields`;
  }
  return probeFault(source);
}

/** Types are seen by trying: what fails for every plausible row, fails always. Of the fields of a record nothing is known. */
function probeFault(source: string): string | undefined {
  const { features, record } = metricFieldsOf(source);
  if (record.length > 0) return undefined;
  const evaluate = compileMetric(source);
  let fault = '';
  for (const label of [0, 1]) {
    for (const score of [0.1, 0.9]) {
      const values = Object.fromEntries(features.map((name) => [name, 1.5 + score]));
      const found = evaluate({ prediction: { output: score, score, version: 1 }, label, features: values, record: {} });
      if (found.kind !== 'failed') return undefined;
      fault = found.message;
    }
  }
  return `gives no number: ${fault} (all numbers are doubles: write 5.0, not 5)`;
}
