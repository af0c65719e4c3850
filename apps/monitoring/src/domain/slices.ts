// A window by the values of declared slices: which group a request is in, and how each group fares.
import type { Monitor } from '@headrace/definitions';
import { allMeasures, bySlice, proportionInterval, type Interval } from '@headrace/statistics';
import type { ScoredColumns } from './drift-window';
import type { Task } from './label-source';
import type { LabelledRow } from './performance-evidence';

export type Slice = NonNullable<Monitor['spec']['slices']>[number];

export interface SliceGroup {
  /** The feature. */
  readonly slice: string;
  /** "< 500", "[500, 1000)", ">= 1000" of edges; a value; "(other)", "(missing)". */
  readonly group: string;
  readonly rows: number;
  /** 95 % intervals; empty below the slice's minimum sample. What cannot be computed is left out. */
  readonly measures: Readonly<Record<string, Interval>>;
}

/** Neither is one of the declared values. */
export const OTHER = '(other)';
export const MISSING = '(missing)';

/** Share of requests whose score is at or above the decision threshold (binary models). */
export const POSITIVE_SHARE = 'positive_share';

/** Every group that a slice may have, in the order of its edges or values. */
export function groupNamesOf({ edges, values }: Slice): string[] {
  if (edges === undefined) return [...(values ?? []).map(String), OTHER, MISSING];
  const between = edges.slice(1).map((edge, place) => `[${edges[place]}, ${edge})`);
  return [`< ${edges[0]}`, ...between, `>= ${edges.at(-1)}`, MISSING];
}

/** The place of a value's group among the slice's names; NaN is missing. */
function placesOf(slice: Slice): (value: number) => number {
  const missing = groupNamesOf(slice).length - 1;
  const { edges, values = [] } = slice;
  if (edges === undefined) {
    const places = new Map(values.map((value, place) => [value, place]));
    return (value) => (Number.isNaN(value) ? missing : (places.get(value) ?? missing - 1));
  }
  return (value) => {
    if (Number.isNaN(value)) return missing;
    const place = edges.findIndex((edge) => value < edge);
    return place === -1 ? edges.length : place;
  };
}

/**
 * Labelled rows by the groups of each slice: the measures of the whole window, of each group alone. `columns`: of each slice
 * its feature, a value for each row.
 */
export function labelledGroups(
  slices: readonly Slice[],
  rows: readonly LabelledRow[],
  columns: readonly Float64Array[],
  task: Task,
  decisionThreshold: number,
): SliceGroup[] {
  const all = rows.map((_, row) => row);
  return slices.flatMap((slice, index) => {
    const names = groupNamesOf(slice);
    const placeOf = placesOf(slice);
    const column = columns[index];
    const groups = bySlice(
      all,
      (row) => names[placeOf(column?.[row] ?? Number.NaN)] ?? MISSING,
      (group) => group.flatMap((row) => rows[row] ?? []),
    );
    return names.flatMap((group): SliceGroup[] => {
      const inside = groups.get(group);
      if (!inside) return [];
      const measures = inside.length < slice.minimumSample ? {} : measuresOf(inside, task, decisionThreshold);
      return [{ slice: slice.feature, group, rows: inside.length, measures }];
    });
  });
}

function measuresOf(rows: readonly LabelledRow[], task: Task, threshold: number): Record<string, Interval> {
  const scores = rows.map((row) => row.score);
  const measures = allMeasures(
    task,
    rows.map((row) => row.label),
    scores,
    { threshold },
  );
  const positives = scores.filter((score) => score >= threshold).length;
  const shares = task === 'binary' ? { [POSITIVE_SHARE]: proportionInterval(positives, rows.length) } : {};
  return Object.fromEntries(
    Object.entries({ ...measures, ...shares }).filter(([, { value, low, high }]) =>
      [value, low, high].every((bound) => Number.isFinite(bound)),
    ),
  );
}

/** Answers of a binary model by the groups of each slice, before labels: counts only, whatever the traffic. */
export class SlicedAnswers {
  private readonly counted: readonly {
    readonly slice: Slice;
    readonly placeOf: (value: number) => number;
    readonly rows: number[];
    readonly positives: number[];
  }[];

  constructor(
    slices: readonly Slice[],
    private readonly decisionThreshold: number,
  ) {
    this.counted = slices.map((slice) => {
      const none = groupNamesOf(slice).map(() => 0);
      return { slice, placeOf: placesOf(slice), rows: none, positives: [...none] };
    });
  }

  add({ names, scores, features }: ScoredColumns): void {
    for (const { slice, placeOf, rows, positives } of this.counted) {
      const column = names.indexOf(slice.feature);
      for (let row = 0; row < scores.length; row += 1) {
        const value = column < 0 ? Number.NaN : (features[row * names.length + column] ?? Number.NaN);
        const place = placeOf(value);
        rows[place] = (rows[place] ?? 0) + 1;
        const isPositive = (scores[row] ?? Number.NaN) >= this.decisionThreshold;
        if (isPositive) positives[place] = (positives[place] ?? 0) + 1;
      }
    }
  }

  groups(): SliceGroup[] {
    return this.counted.flatMap(({ slice, rows, positives }) =>
      groupNamesOf(slice).flatMap((group, place): SliceGroup[] => {
        const count = rows[place] ?? 0;
        if (count === 0) return [];
        const share = proportionInterval(positives[place] ?? 0, count);
        const measures = count < slice.minimumSample ? {} : { [POSITIVE_SHARE]: share };
        return [{ slice: slice.feature, group, rows: count, measures }];
      }),
    );
  }
}
