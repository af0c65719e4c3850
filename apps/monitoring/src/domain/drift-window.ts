// What is kept of a window of predictions while it is read: of bounded size, and parts of it add up.
import { PointCounts, RowSample } from '@headrace/statistics';
import type { ScoredRow } from './evidence';
import type { ReconstructionErrors } from './reconstruction';
import type { ReferenceDistribution } from './reference-profile';

/** Predictions that a version scored, column by column. */
export interface ScoredColumns {
  readonly names: readonly string[];
  /** Of each row. */
  readonly asOf: Float64Array;
  readonly scores: Float64Array;
  /** Row after row, each in the order of the names; NaN = missing. Empty where they were not asked for. */
  readonly features: Float64Array;
}

/** Row by row, for what looks at each. */
export function rowsOf({ names, scores, features }: ScoredColumns): ScoredRow[] {
  return Array.from(scores, (score, row) => {
    return { names, features: features.subarray(row * names.length, (row + 1) * names.length), score };
  });
}

/** The model's score as a subject, beside the features. */
export const PREDICTION = 'prediction';

/** Rows of which values are kept, where a statistic needs values; larger windows are sampled. */
export const MOST_VALUES = 100_000;

/** One subject of a window against its reference. */
export interface SubjectWindow {
  readonly counts: PointCounts;
  /** All of them, or of a uniform sample of rows; empty where they were not to be kept. */
  readonly values: () => readonly number[];
}

/**
 * Counts of every subject at the values and the edges of its reference: exact for what needs no more (PSI, KS, and all
 * statistics of shares). The values themselves are kept of the subjects that are named, of 100,000 rows at most: their
 * distribution function is then off by 0.009 once in a million windows (RowSample).
 */
export class DriftWindow {
  private readonly subjects: readonly { readonly name: string; readonly counts: PointCounts }[];
  private readonly kept: readonly string[];
  private readonly sample: RowSample;
  private rowCount = 0;

  /** With `together` also the errors of all features together. */
  constructor(
    references: readonly ReferenceDistribution[],
    keepValuesOf: Iterable<string>,
    readonly together?: ReconstructionErrors,
  ) {
    this.subjects = references.map(({ name, sample, innerEdges }) => ({
      name,
      counts: new PointCounts([...sample, ...innerEdges]),
    }));
    const wanted = new Set(keepValuesOf);
    this.kept = references.map(({ name }) => name).filter((name) => wanted.has(name));
    this.sample = new RowSample(this.kept.length, MOST_VALUES);
  }

  get rows(): number {
    return this.rowCount;
  }

  add(columns: ScoredColumns): void {
    const { scores } = columns;
    const rows = scores.length;
    this.rowCount += rows;
    for (const { name, counts } of this.subjects) {
      const { values, from, step } = columnOf(columns, name);
      for (let row = 0, at = from; row < rows; row += 1, at += step) counts.add(values[at] ?? Number.NaN);
    }
    this.together?.add(columns);
    if (this.kept.length === 0) return;
    const places = this.kept.map((name) => columnOf(columns, name));
    for (let row = 0; row < rows; row += 1) {
      const values = places.map(({ values: of, from, step }) => of[from + row * step] ?? Number.NaN);
      this.sample.add(columns.asOf[row] ?? 0, scores[row] ?? 0, values);
    }
  }

  /** Another part of the same window, against the same references. */
  merge(other: DriftWindow): void {
    this.rowCount += other.rowCount;
    for (const [index, { counts }] of this.subjects.entries()) {
      const part = other.subjects[index]?.counts;
      if (part) counts.merge(part);
    }
    this.sample.merge(other.sample);
    if (other.together) this.together?.merge(other.together);
  }

  of(subject: string): SubjectWindow {
    const found = this.subjects.find(({ name }) => name === subject);
    if (!found) throw new RangeError(`the window was not read for "${subject}"`);
    const column = this.kept.indexOf(subject);
    return { counts: found.counts, values: () => (column < 0 ? [] : this.sample.valuesOf(column)) };
  }
}

const MISSING = new Float64Array();

function columnOf(
  { names, scores, features }: ScoredColumns,
  subject: string,
): { readonly values: Float64Array; readonly from: number; readonly step: number } {
  if (subject === PREDICTION) return { values: scores, from: 0, step: 1 };
  const column = names.indexOf(subject);
  return column < 0 ? { values: MISSING, from: 0, step: 1 } : { values: features, from: column, step: names.length };
}
