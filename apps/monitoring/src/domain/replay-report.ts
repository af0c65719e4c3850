// What a version would have answered, against what was answered, on the same labelled requests.
import { bySlice, confidenceSequence, gatherBlocks, measured, type Interval } from '@headrace/statistics';
import type { Task } from './label-source';

export interface ReplayedRow {
  readonly predictionId: string;
  /** Event time of the label. */
  readonly timeMicros: number;
  readonly label: number;
  /** As it was answered. */
  readonly served: number;
  /** As the version answers now. */
  readonly replayed: number;
}

export interface ReplayedGroup {
  readonly slice: string;
  readonly value: string;
  readonly rows: number;
  readonly served: Readonly<Record<string, Interval>>;
  readonly replayed: Readonly<Record<string, Interval>>;
  readonly improvement: Interval;
  readonly blocks: number;
}

export interface BlockRules {
  readonly lengthMicros: number;
  readonly minimumPairs: number;
}

/** How far the interval of an improvement is to be trusted: one in twenty is wrong. */
const ALPHA = 0.05;
/** Groups of fewer rows say nothing. */
const LEAST_ROWS = 30;
const MOST_GROUPS = 50;
/** A slice of numbers with more different values than this is cut at its quartiles. */
const MOST_VALUES = 12;

/** The loss is the squared error of the score: for a binary model the Brier score. */
export function groupOf(
  rows: readonly ReplayedRow[],
  task: Task,
  rules: BlockRules,
  slice = '',
  value = '',
): ReplayedGroup {
  const labels = rows.map((row) => row.label);
  const pairs = rows.map(({ predictionId, timeMicros, label, served, replayed }) => {
    return { predictionId, timeMicros, difference: (served - label) ** 2 - (replayed - label) ** 2 };
  });
  const { blocks } = gatherBlocks(pairs, { pairs: 0, total: 0 }, rules.lengthMicros, rules.minimumPairs);
  const { low, high } = confidenceSequence(
    blocks.map((block) => block.mean),
    ALPHA,
  );
  // The blocks' interval around the mean of all rows: what lies behind the last whole block counts in the value.
  const mean = pairs.reduce((sum, pair) => sum + pair.difference, 0) / pairs.length;
  return {
    slice,
    value,
    rows: rows.length,
    served: measured(
      task,
      labels,
      rows.map((row) => row.served),
    ),
    replayed: measured(
      task,
      labels,
      rows.map((row) => row.replayed),
    ),
    improvement: { value: mean, low, high },
    blocks: blocks.length,
  };
}

/** Groups of one slice, the largest first. `valueOf`: undefined where the request did not have it. */
export function groupsOf(
  rows: readonly ReplayedRow[],
  task: Task,
  rules: BlockRules,
  slice: string,
  valueOf: (row: ReplayedRow) => string | number | undefined,
): { readonly groups: readonly ReplayedGroup[]; readonly leftOut: number } {
  const nameOf = namesOf(rows.map(valueOf));
  const found = bySlice(
    rows,
    (row) => nameOf(valueOf(row)),
    (group) => group,
  );
  const groups = [...found].sort(([a, of], [b, others]) => others.length - of.length || (a < b ? -1 : 1));
  const kept = groups.filter(([, group]) => group.length >= LEAST_ROWS).slice(0, MOST_GROUPS);
  return {
    groups: kept.map(([value, group]) => groupOf(group, task, rules, slice, value)),
    leftOut: groups.length - kept.length,
  };
}

function namesOf(values: readonly (string | number | undefined)[]): (value: string | number | undefined) => string {
  const numbers = values.filter((value): value is number => typeof value === 'number' && !Number.isNaN(value));
  if (new Set(numbers).size <= MOST_VALUES) return (value) => (isMissing(value) ? '(missing)' : String(value));
  const sorted = [...numbers].sort((a, b) => a - b);
  const at = (share: number): number => sorted[Math.floor(share * (sorted.length - 1))] ?? Number.NaN;
  const edges = [...new Set([at(0.25), at(0.5), at(0.75)])];
  return (value) => {
    if (isMissing(value)) return '(missing)';
    if (typeof value !== 'number') return String(value);
    const place = edges.findIndex((edge) => value <= edge);
    const low = place === 0 ? undefined : edges[place === -1 ? edges.length - 1 : place - 1];
    const high = place === -1 ? undefined : edges[place];
    if (low === undefined) return `≤ ${figure(high)}`;
    return high === undefined ? `> ${figure(low)}` : `${figure(low)} – ${figure(high)}`;
  };
}

function isMissing(value: string | number | undefined): boolean {
  return value === undefined || value === '' || Number.isNaN(value);
}

function figure(value: number | undefined): string {
  return Number((value ?? Number.NaN).toPrecision(4)).toString();
}
