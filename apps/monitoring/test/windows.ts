// Windows made of rows.
import type { Cadence } from '../src/domain/calibration';
import {
  driftEvidence,
  driftWindow,
  type DriftRules,
  type DriftProfile,
  type JudgedEvidence,
  type ScoredRow,
} from '../src/domain/evidence';
import { DriftWindow, type ScoredColumns, type SubjectWindow } from '../src/domain/drift-window';
import { readScoredPredictions } from '../src/database/scored-predictions.repository';
import type { Queries } from '../src/database/sql';
import type { ReferenceDistribution } from '../src/domain/reference-profile';

export function columnsOf(rows: readonly ScoredRow[], firstMicros = 0): ScoredColumns {
  return {
    names: rows[0]?.names ?? [],
    asOf: Float64Array.from(rows, (_, index) => firstMicros + index),
    scores: Float64Array.from(rows, ({ score }) => score),
    features: Float64Array.from(rows.flatMap(({ features }) => [...features])),
  };
}

/** Evidence of these rows. */
export function driftOf(
  rows: readonly ScoredRow[],
  profile: DriftProfile,
  rules: DriftRules | undefined,
  cadence: Cadence,
): JudgedEvidence {
  return driftEvidence(windowOf(rows, profile, rules), profile, rules, cadence);
}

export function windowOf(
  rows: readonly ScoredRow[],
  profile: DriftProfile,
  rules: DriftRules | undefined,
): DriftWindow {
  const window = driftWindow(profile, rules);
  window.add(columnsOf(rows));
  return window;
}

/** What the version scored within [from, to) of as-of time, row by row; with its scores alone it is the same. */
export async function scoredRows(
  queries: Queries,
  endpoint: string,
  version: number,
  fromMicros: number,
  toMicros: number,
): Promise<{ readonly names: readonly string[]; readonly features: Float64Array; readonly score: number }[]> {
  const range = { endpoint, version, fromMicros, toMicros };
  const scored: Awaited<ReturnType<typeof scoredRows>> = [];
  await readScoredPredictions(queries, { ...range, features: true }, ({ names, scores, features }) => {
    for (const [row, score] of scores.entries()) {
      scored.push({ names, features: features.slice(row * names.length, (row + 1) * names.length), score });
    }
  });
  const alone: number[] = [];
  await readScoredPredictions(queries, { ...range, features: false }, ({ scores }) => alone.push(...scores));
  expect(alone).toEqual(scored.map(({ score }) => score));
  return scored;
}

/** Values of one subject, all of them kept. */
export function subjectOf(reference: ReferenceDistribution, values: readonly number[]): SubjectWindow {
  const window = new DriftWindow([reference], [reference.name]);
  window.add(columnsOf(values.map((value) => ({ names: [reference.name], features: [value], score: 0 }))));
  return window.of(reference.name);
}
