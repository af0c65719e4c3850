// Drift of all features together: the mean reconstruction error of a window against the training's own windows.
import { mean, mergeMoments, NO_VALUES, RowReconstruction, type MomentsState } from '@headrace/statistics';
import { falseAlarmsOf, thresholdFor, windowsOf, type Cadence } from './calibration';
import type { ScoredColumns } from './drift-window';
import type { Evidence } from './evidence';
import type { ReferenceReconstruction } from './reference-profile';

/** All features together, as a subject. */
export const TOGETHER = 'features';
export const RECONSTRUCTION = 'reconstruction_error';

/** NannyML's threshold: three standard deviations of the means of the reference's windows. */
const DEVIATIONS = 3;
/** A standard deviation of fewer says nothing. */
const LEAST_WINDOWS = 5;
/** Of the interval of the mean. */
const STANDARD_ERRORS = 1.96;

/** What is kept of the errors of a window while it is read; parts add up. */
export class ReconstructionErrors {
  private readonly rows: RowReconstruction;
  private readonly names: readonly string[];
  private moments: MomentsState = NO_VALUES;

  constructor(reference: ReferenceReconstruction) {
    this.rows = new RowReconstruction(reference);
    this.names = reference.features;
  }

  get state(): MomentsState {
    return this.moments;
  }

  add({ names, scores, features }: ScoredColumns): void {
    const places = this.names.map((name) => names.indexOf(name));
    const row = new Float64Array(places.length);
    let [centre, squares, smallest, largest] = [0, 0, Infinity, -Infinity];
    for (let index = 0; index < scores.length; index += 1) {
      const from = index * names.length;
      for (let j = 0; j < places.length; j += 1) {
        const place = places[j] ?? -1;
        row[j] = place < 0 ? Number.NaN : (features[from + place] ?? Number.NaN);
      }
      const error = this.rows.errorOf(row);
      const apart = error - centre;
      centre += apart / (index + 1);
      squares += apart * (error - centre);
      smallest = Math.min(smallest, error);
      largest = Math.max(largest, error);
    }
    const added = { count: scores.length, mean: centre, squares, smallest, largest };
    this.moments = mergeMoments(this.moments, added);
  }

  merge(other: ReconstructionErrors): void {
    this.moments = mergeMoments(this.moments, other.moments);
  }
}

interface ReconstructionTest {
  readonly threshold?: number | undefined;
  readonly falseAlarms?: number | undefined;
}

/**
 * How far the window's mean error lies from the mean of the reference's windows, either way, in standard deviations (ddof 0) of
 * those: NannyML alerts beyond 3. Beside it the mean error itself, with its 95 % interval, and the reference's. Not judged
 * when the profile has no reconstruction, or too few windows of the monitor's length with its minimum sample.
 */
export function reconstructionEvidence(
  errors: ReconstructionErrors | undefined,
  reference: ReferenceReconstruction | undefined,
  test: ReconstructionTest,
  cadence: Cadence,
): Evidence[] {
  const judged = { subject: TOGETHER, statistic: RECONSTRUCTION, reference: 0 };
  const declared = test.threshold ?? (test.falseAlarms === undefined ? DEVIATIONS : Infinity);
  const unjudged = (notJudged: string): Evidence => {
    return { ...judged, value: Number.NaN, threshold: declared, crossed: false, notJudged };
  };
  if (!reference || !errors) {
    const why =
      'the profile of the version says nothing of its features together: its trainer is older, or had too few rows or features';
    return [unjudged(why)];
  }
  const own = ownErrors(reference, cadence);
  const found = errors.state;
  const half = STANDARD_ERRORS * Math.sqrt(found.squares / (found.count - 1) / found.count);
  const reported: Evidence = {
    subject: TOGETHER,
    statistic: `mean_${RECONSTRUCTION}`,
    value: found.count === 0 ? Number.NaN : found.mean,
    threshold: 0,
    reference: mean(own.length > 0 ? own : [meanOf(reference)]),
    crossed: false,
    ...(Number.isFinite(half) ? { low: found.mean - half, high: found.mean + half } : {}),
  };
  if (own.length < LEAST_WINDOWS) {
    const why = `the training has ${own.length} windows as long as the Monitor's with its minimum sample; it takes ${LEAST_WINDOWS}`;
    return [unjudged(why), reported];
  }
  const value = deviationsApart(found.mean, own);
  const distances = own.map((error, index) => deviationsApart(error, own.toSpliced(index, 1)));
  const calibrated = test.falseAlarms === undefined ? undefined : thresholdFor(distances, test.falseAlarms).threshold;
  const threshold = calibrated !== undefined && Number.isFinite(calibrated) ? calibrated : declared;
  const falseAlarms = Number.isFinite(threshold) ? { falseAlarms: falseAlarmsOf(distances, threshold) } : {};
  return [{ ...judged, value, threshold, crossed: value >= threshold, ...falseAlarms }, reported];
}

/** Mean error of each of the reference's windows that the monitor would judge. */
function ownErrors({ windows }: ReferenceReconstruction, cadence: Cadence): number[] {
  return windowsOf(windows, cadence).map(({ rows, counts }) => (counts[0] ?? Number.NaN) / rows);
}

function meanOf({ windows }: ReferenceReconstruction): number {
  const sum = (values: readonly number[]): number => values.reduce((total, value) => total + value, 0);
  return sum(windows.counts.map((errors) => errors[0] ?? 0)) / sum(windows.rows);
}

function deviationsApart(error: number, others: readonly number[]): number {
  const centre = mean(others);
  const apart = Math.abs(error - centre);
  return apart === 0 ? 0 : apart / Math.sqrt(mean(others.map((other) => (other - centre) ** 2)));
}
