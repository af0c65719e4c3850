import { allMeasures, type Interval } from '@headrace/statistics';

/** One labelled row with every score that was given to it. */
export interface ComparableRow {
  readonly label: number;
  readonly version: number;
  readonly output: number;
  readonly shadowVersions: readonly number[];
  readonly shadowOutputs: readonly number[];
}

export interface ComparedVersion {
  readonly version: number;
  readonly rows: number;
  readonly metrics: Readonly<Record<string, Interval>>;
}

export interface Comparison {
  readonly versions: readonly ComparedVersion[];
  readonly sameRows: boolean;
}

/** Fewer common rows than this say nothing. */
const LEAST_COMMON_ROWS = 30;

/** The versions on the rows that each of them scored; when there are too few, each on its own. */
export function compareVersions(
  rows: readonly ComparableRow[],
  task: 'binary' | 'regression',
  wanted: readonly number[],
  decisionThreshold = 0.5,
): Comparison {
  const scored = rows.map((row) => ({ label: row.label, scores: scoresOf(row) }));
  const found = new Set(scored.flatMap((row) => [...row.scores.keys()]));
  const versions = (wanted.length > 0 ? [...new Set(wanted)].filter((one) => found.has(one)) : [...found]).sort(
    (a, b) => a - b,
  );
  const common = scored.filter((row) => versions.every((version) => row.scores.has(version)));
  const sameRows = common.length >= LEAST_COMMON_ROWS || versions.length <= 1;
  return {
    sameRows,
    versions: versions.map((version) => {
      const used = sameRows ? common : scored.filter((row) => row.scores.has(version));
      const labels = used.map((row) => row.label);
      const scores = used.map((row) => row.scores.get(version) ?? Number.NaN);
      return {
        version,
        rows: used.length,
        metrics: allMeasures(task, labels, scores, { threshold: decisionThreshold }),
      };
    }),
  };
}

function scoresOf(row: ComparableRow): ReadonlyMap<number, number> {
  const scores = new Map([[row.version, row.output]]);
  for (const [index, version] of row.shadowVersions.entries())
    scores.set(version, row.shadowOutputs[index] ?? Number.NaN);
  return scores;
}
