// Data of the specs: seeded, so that every run sees the same.
import { MICROS } from '@headrace/event-time';
import { readProfile, type ReferenceProfile } from '../src/domain/reference-profile';
import {
  binaryPerformance,
  binCounts,
  fitReconstruction,
  quantileEdges,
  RowReconstruction,
} from '@headrace/statistics';

/** 2001-02-05T00:00:00Z, a window's start. */
export const DAY_ONE = 981_331_200 * MICROS.s;

/** Uniform on [0, 1): mulberry32, a small generator whose whole state is the seed. */
export function randomFrom(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 4_294_967_296;
  };
}

export interface Case {
  readonly predictionId: string;
  readonly key: string;
  readonly asOfMicros: number;
  readonly labelTimeMicros: number;
  readonly features: readonly number[];
  readonly score: number;
  readonly label: number;
}

export interface CasesOptions {
  readonly seed: number;
  readonly days: number;
  readonly perDay: number;
  readonly fromMicros?: number;
  readonly prefix?: string;
  /** From this day on the scores shrink and the truth does not: inputs and performance both move. */
  readonly driftFromDay?: number;
}

export const FEATURES = ['distance', 'delay'] as const;

/** Requests evenly over time; the score is the true probability, until the drift begins. */
export function cases(options: CasesOptions): Case[] {
  const { seed, days, perDay, fromMicros = DAY_ONE, prefix = 'p', driftFromDay = Infinity } = options;
  const random = randomFrom(seed);
  return Array.from({ length: days * perDay }, (_, index) => {
    const asOfMicros = fromMicros + Math.floor((index / perDay) * MICROS.d);
    const truth = 0.05 + 0.9 * random() * random();
    const score = index / perDay >= driftFromDay ? truth * 0.2 : truth;
    return {
      predictionId: `${prefix}-${String(index).padStart(6, '0')}`,
      key: `${prefix}-key-${index}`,
      asOfMicros,
      labelTimeMicros: asOfMicros + Math.floor((0.5 + random()) * MICROS.h),
      features: [random() * 1_000, random() < 0.04 ? Number.NaN : truth + random()],
      score,
      label: random() < (index / perDay >= driftFromDay ? Math.min(truth * 1.8, 1) : truth) ? 1 : 0,
    };
  });
}

/** profile.json as older trainers wrote it over these cases. */
export function profileJson(reference: readonly Case[]): string {
  const scores = reference.map((one) => one.score);
  const labels = reference.map((one) => one.label);
  const performance = binaryPerformance(labels, scores);
  const mean = (values: readonly number[]): number => values.reduce((sum, value) => sum + value, 0) / values.length;
  return JSON.stringify({
    contract: 'headrace.dev/profile/v1',
    run_id: 'run-1',
    task: 'binary',
    rows: { training: reference.length, validation: reference.length },
    features: FEATURES.map((name, column) =>
      describe(
        name,
        reference.map((one) => one.features[column] ?? Number.NaN),
      ),
    ),
    prediction: describe('prediction', scores),
    label: { mean: mean(labels) },
    performance: {
      auc: { value: performance.auc },
      brier: { value: performance.brier },
      log_loss: { value: performance.log_loss },
    },
  });
}

/** profile.json as the trainer writes it over these cases, which must be in order: with its own windows and labelled scores. */
export function wholeProfileJson(reference: readonly Case[], lengthMicros: number = MICROS.d): string {
  const old = JSON.parse(profileJson(reference)) as { features: Described[]; prediction: Described };
  const start = (one: Case): number => Math.floor(one.asOfMicros / lengthMicros) * lengthMicros;
  const starts = [...new Set(reference.map(start))];
  const inWindows = (of: (one: Case) => number, { edges }: Described): number[][] =>
    starts.map((at) => binCounts(reference.filter((one) => start(one) === at).map(of), edges.slice(1, -1), 'left'));
  const windows = {
    length_micros: lengthMicros,
    starts,
    rows: starts.map((at) => reference.filter((one) => start(one) === at).length),
  };
  return JSON.stringify({
    ...old,
    features: old.features.map((feature, column) => ({
      ...feature,
      part: 'training',
      window_counts: inWindows((one) => one.features[column] ?? Number.NaN, feature),
    })),
    prediction: {
      ...old.prediction,
      part: 'validation',
      window_counts: inWindows((one) => one.score, old.prediction),
    },
    windows: { training: windows, validation: windows },
    labelled: { score: reference.map((one) => one.score), label: reference.map((one) => one.label) },
  });
}

/** Requests whose second feature goes with the first, and from a day on against it; each feature alone is uniform all the time. */
export function relatedCases(options: Omit<CasesOptions, 'driftFromDay'> & { readonly turnFromDay?: number }): Case[] {
  const { turnFromDay = Infinity, ...others } = options;
  const random = randomFrom(others.seed + 10_000);
  return cases(others).map((one, index) => {
    const x = random();
    const near = (x + 0.2 * random()) % 1;
    return { ...one, features: [1_000 * x, index / others.perDay >= turnFromDay ? 1 - near : near] };
  });
}

/** wholeProfileJson with what the trainer writes of the features together. */
export function relatedProfileJson(reference: readonly Case[], lengthMicros: number = MICROS.d): string {
  const whole = JSON.parse(wholeProfileJson(reference, lengthMicros)) as {
    windows: { training: { starts: number[] } };
  };
  const fitted = fitReconstruction(reference.map((one) => one.features));
  const errors = new RowReconstruction(fitted);
  const window_errors = whole.windows.training.starts.map((start) =>
    reference
      .filter((one) => Math.floor(one.asOfMicros / lengthMicros) * lengthMicros === start)
      .reduce((sum, one) => sum + errors.errorOf(one.features), 0),
  );
  return JSON.stringify({
    ...whole,
    reconstruction: { part: 'training', features: FEATURES, ...fitted, window_errors },
  });
}

/** Requests of a regression over so many days: answers err by 2 on average, by 10 where the distance is above 500, and that is as often as said. */
export function journeys(seed: number, count: number, shareOfFar: number, { fromDay = 0, days = 1 } = {}): Case[] {
  const random = randomFrom(seed);
  return Array.from({ length: count }, (_, index) => {
    const isFar = random() < shareOfFar;
    const score = 20 + 30 * random();
    const asOfMicros = DAY_ONE + fromDay * MICROS.d + Math.floor((index / count) * days * MICROS.d);
    return {
      predictionId: `journey-${seed}-${index}`,
      key: `journey-${seed}-${index}`,
      asOfMicros,
      labelTimeMicros: asOfMicros + MICROS.h,
      features: [isFar ? 500 + 500 * random() : 500 * random(), random() < 0.1 ? Number.NaN : random()],
      score,
      label: score + (isFar ? 20 : 4) * (2 * random() - 1),
    };
  });
}

/** profile.json of a regression over journeys, with a loss model that knows them. */
export function regressionProfileJson(reference: readonly Case[]): string {
  const whole = JSON.parse(wholeProfileJson(reference)) as object;
  const errors = reference.map((one) => one.label - one.score);
  const mean = (values: readonly number[]): number => values.reduce((sum, value) => sum + value, 0) / values.length;
  const stump = (near: number, far: number) => [
    { feature: [0, -1, -1], value: [500, near, far], left: [1, 0, 0], right: [2, 0, 0], missing: [1, 0, 0] },
  ];
  return JSON.stringify({
    ...whole,
    task: 'regression',
    performance: {
      mae: { value: mean(errors.map(Math.abs)) },
      rmse: { value: Math.sqrt(mean(errors.map((error) => error ** 2))) },
    },
    // Errors are uniform on ± 4 and ± 20: their squares are a third of the square of that on average.
    loss_model: { inputs: [...FEATURES, 'prediction'], absolute: stump(2, 10), squared: stump(16 / 3, 400 / 3) },
  });
}

interface Described {
  readonly edges: readonly number[];
}

export function wholeProfileOf(reference: readonly Case[], lengthMicros?: number): ReferenceProfile {
  return readProfile(wholeProfileJson(reference, lengthMicros));
}

export function profileOf(reference: readonly Case[]): ReferenceProfile {
  return readProfile(profileJson(reference));
}

function describe(name: string, values: readonly number[]): object {
  const present = values.filter((value) => !Number.isNaN(value)).sort((a, b) => a - b);
  const inner = quantileEdges(present);
  const mean = present.reduce((sum, value) => sum + value, 0) / present.length;
  return {
    name,
    mean,
    std: Math.sqrt(present.reduce((sum, value) => sum + (value - mean) ** 2, 0) / present.length),
    edges: [present[0], ...inner, present.at(-1)],
    counts: binCounts(present, inner, 'left'),
    sample: present.filter((_, index) => index % Math.ceil(present.length / 1_000) === 0),
  };
}
