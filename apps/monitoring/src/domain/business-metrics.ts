// What the predictions of a window were worth, by the expressions that a Monitor declares.
import {
  compileMetric,
  metricFieldsOf,
  type Fields,
  type MetricExpression,
  type MetricRow,
  type MetricScalar,
  type Monitor,
} from '@headrace/definitions';
import { MICROS } from '@headrace/event-time';
import { mergeMoments, NO_VALUES, proportionInterval, type Interval, type MomentsState } from '@headrace/statistics';
import type { Evidence } from './evidence';

export type MetricRules = NonNullable<Monitor['spec']['metrics']>[number];

export interface CompiledMetric extends MetricRules {
  readonly evaluate: MetricExpression;
  readonly features: readonly string[];
  readonly record: readonly string[];
}

/** Fields of a label's record that metrics read; absent: missing. */
export type LabelFields = Readonly<Record<string, MetricScalar>>;

export interface MetricResult {
  readonly name: string;
  readonly aggregate: MetricRules['aggregate'];
  readonly unit?: string;
  /** With its 95 % interval; absent: no prediction gave a number. */
  readonly value?: Interval;
  /** Predictions that gave a number, and those that did not. */
  readonly rows: number;
  readonly failed: number;
  /** Of the first that failed. */
  readonly failure?: string;
}

const Z95 = 1.959963984540054;
/** Longer texts of a label's record are not kept. */
const LONGEST_TEXT = 200;
const LONGEST_FAILURE = 300;

export function compileMetrics(metrics: readonly MetricRules[] = []): CompiledMetric[] {
  return metrics.map((metric) => ({
    ...metric,
    evaluate: compileMetric(metric.expression),
    ...metricFieldsOf(metric.expression),
  }));
}

/** What is kept of a label's record: the named fields; times as seconds since the epoch. Undefined: nothing is asked for. */
export function labelFieldsOf(fields: Fields, names: readonly string[]): LabelFields | undefined {
  if (names.length === 0) return undefined;
  const kept: Record<string, MetricScalar> = {};
  for (const name of names) {
    const kind = Object.hasOwn(fields, name) ? fields[name]?.kind : undefined;
    if (kind === undefined || (kind.$case === 'stringValue' && kind.value.length > LONGEST_TEXT)) continue;
    kept[name] = kind.$case === 'timeValue' ? kind.value / MICROS.s : kind.value;
  }
  return kept;
}

interface Gathered {
  moments: MomentsState;
  /** True, or not 0. */
  hits: number;
  /** Nothing but true and false came. */
  isShare: boolean;
  failed: number;
  failure: string | undefined;
}

/** Of rows one after the other; of each no more than its moments is kept. */
export function businessMetrics(metrics: readonly CompiledMetric[], rows: Iterable<MetricRow>): MetricResult[] {
  const gathered = metrics.map((): Gathered => {
    return { moments: NO_VALUES, hits: 0, isShare: true, failed: 0, failure: undefined };
  });
  for (const row of rows) {
    for (const [place, { evaluate }] of metrics.entries()) {
      const into = gathered[place];
      if (!into) continue;
      const found = evaluate(row);
      if (found.kind === 'failed') {
        into.failed += 1;
        into.failure ??= found.message.slice(0, LONGEST_FAILURE);
        continue;
      }
      const value = Number(found.value);
      if (found.kind === 'number') into.isShare = false;
      if (value !== 0) into.hits += 1;
      const one = { count: 1, mean: value, squares: 0, smallest: value, largest: value };
      into.moments = mergeMoments(into.moments, one);
    }
  }
  return metrics.flatMap(({ name, aggregate, unit }, place) => {
    const found = gathered[place];
    return found ? [resultOf(name, aggregate, unit, found)] : [];
  });
}

function resultOf(
  name: string,
  aggregate: MetricRules['aggregate'],
  unit: string | undefined,
  { moments, hits, isShare, failed, failure }: Gathered,
): MetricResult {
  const { count } = moments;
  const isOfShare = isShare || aggregate === 'count';
  const mean = isOfShare ? proportionInterval(hits, count) : meanOf(moments);
  const times = aggregate === 'mean' ? 1 : count;
  // Whole where it counts.
  const total = isOfShare ? hits : mean.value * count;
  const value = { value: aggregate === 'mean' ? mean.value : total, low: mean.low * times, high: mean.high * times };
  return {
    name,
    aggregate,
    ...(unit === undefined ? {} : { unit }),
    ...(count > 0 && Object.values(value).every((bound) => Number.isFinite(bound)) ? { value } : {}),
    rows: count,
    failed,
    ...(failure === undefined ? {} : { failure }),
  };
}

/** By the normal approximation; without width below two values. */
function meanOf({ count, mean, squares }: MomentsState): Interval {
  const half = count < 2 ? 0 : Z95 * Math.sqrt(squares / (count - 1) / count);
  return { value: mean, low: mean - half, high: mean + half };
}

/** The tests that metrics declare: they cross beside those of performance. What has no value crosses nothing. */
export function metricEvidence(metrics: readonly MetricRules[], results: readonly MetricResult[]): Evidence[] {
  return metrics.flatMap(({ name, aggregate, test }): Evidence[] => {
    const found = results.find((result) => result.name === name)?.value;
    const threshold = test?.above ?? test?.below;
    if (test === undefined || threshold === undefined) return [];
    const value = found?.value ?? Number.NaN;
    const crossed = test.above === undefined ? value < threshold : value > threshold;
    return [{ subject: name, statistic: aggregate, reference: Number.NaN, threshold, crossed, ...found, value }];
  });
}
