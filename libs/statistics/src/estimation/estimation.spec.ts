import { expectAllClose, expectClose, golden, normals, type Sample } from '../../test/golden';
import { binCounts, doaneEdges } from '../distances/bins';
import { wasserstein } from '../distances/samples';
import { hellinger, jensenShannon } from '../distances/shares';
import { Random } from '../numerics/random';
import { expectedCalibrationError } from '../performance/classification';
import { ks } from '../tests/ks';
import { estimateCbpe, fitCbpe, type CbpeMeasure } from './cbpe';
import { estimateDle, fitDle } from './dle';
import { faultOfTree, LossModel, type LossTree } from './loss-trees';

type Labelled = readonly [seed: number, count: number, steepness: number, below?: number];
/** Seed, rows, and by how much the first feature moved. */
type Errors = readonly [seed: number, count: number, shift: number];
type Measures = Record<CbpeMeasure, number>;
const numbers = golden<{
  cbpe: {
    reference: Labelled;
    window: Labelled;
    threshold: number;
    calibrate: boolean;
    estimates: Measures;
    errors: Measures;
    ece: number;
  }[];
  dle: { mae: number; rmse: number };
  loss_model: {
    reference: Errors;
    windows: Errors[];
    absolute: LossTree[];
    squared: LossTree[];
    /** Value, low and high, of each window. */
    estimates: Record<'mae' | 'rmse', [number, number, number]>[];
  };
  drift: ({ a: Sample; b: Sample } & Record<string, number>)[];
}>('nannyml');

/** As golden/nannyml_numbers.py has it. */
function labelled([seed, count, steepness, below = 1]: Labelled): { labels: number[]; scores: number[] } {
  const random = new Random(seed);
  const scores = [0.00001, 0.99999];
  const labels = [0, 1];
  const seen = new Set(scores);
  while (scores.length < count) {
    const p = Math.trunc(random.next() * below * 1e5) / 1e5;
    const label = random.next() < 0.5 + (p - 0.5) * steepness ? 1 : 0;
    if (seen.has(p) || p < 0.0001) continue;
    seen.add(p);
    scores.push(p);
    labels.push(label);
  }
  return { labels, scores };
}

/** As golden/nannyml_numbers.py has it: two features, and the prediction. */
function regression([seed, count, shift]: Errors): { rows: Float64Array[]; labels: number[]; predictions: number[] } {
  const sampleOf = (from: number, mean: number): number[] => normals([from, count, mean, 1, null]);
  const [x, z, noise] = [sampleOf(seed, shift), sampleOf(seed + 1, 0), sampleOf(seed + 2, 0)];
  const predictions = x.map((value) => 2 * value + 1);
  return {
    rows: x.map((value, row) =>
      Float64Array.of(value, row % 7 === 0 ? Number.NaN : (z[row] ?? 0), predictions[row] ?? 0),
    ),
    labels: x.map((value, row) => (predictions[row] ?? 0) + (noise[row] ?? 0) * (1 + Math.abs(value))),
    predictions,
  };
}

describe("estimates before labels are NannyML's", () => {
  const cases = numbers.cbpe.map((entry) => [entry.calibrate ? 'calibrated' : 'raw', entry.threshold, entry] as const);
  it.each(cases)('CBPE with %s scores at %d', (_how, _threshold, expected) => {
    const reference = labelled(expected.reference);
    // Whether to calibrate is a toss-up for scores that are calibrated: NannyML's answer is taken.
    const { threshold, calibrate } = expected;
    const cbpe = fitCbpe(reference.labels, reference.scores, { threshold, calibrate });
    const found = estimateCbpe(cbpe, labelled(expected.window).scores);
    for (const measure of Object.keys(expected.estimates) as CbpeMeasure[]) {
      const value = expected.estimates[measure];
      const half = 3 * expected.errors[measure];
      // NannyML rounds expected counts to five digits: of calibrated scores that shows.
      const floor = expected.calibrate && measure === 'auc' ? 1e3 : 0;
      expectClose(found[measure].value, value, floor);
      expectClose(found[measure].low, Math.max(value - half, 0), floor);
      expectClose(found[measure].high, Math.min(value + half, 1), floor);
    }
    expectClose(expectedCalibrationError(reference.labels, reference.scores), expected.ece);
  });

  it("DLE's band", () => {
    const [labels, predictions] = [normals([21, 500, 20, 5, null]), normals([22, 500, 20, 5, null])];
    const losses = Array.from({ length: 200 }, (_, row) => 5 + (row % 7));
    const squares = losses.map((loss) => loss * loss);
    const { mae, rmse } = estimateDle(fitDle(labels, predictions), losses, squares);
    expectClose((mae.high - mae.value) / 3, numbers.dle.mae);
    expectClose((rmse.high - rmse.value) / 3, numbers.dle.rmse);
    expectClose(mae.value, losses.reduce((sum, loss) => sum + loss, 0) / 200);
  });

  it('DLE as a whole, by the trees that NannyML learnt', () => {
    const { reference, windows, absolute, squared, estimates } = numbers.loss_model;
    for (const tree of [...absolute, ...squared]) expect(faultOfTree(tree, 3)).toBeUndefined();
    const [absoluteLoss, squaredLoss] = [new LossModel(absolute), new LossModel(squared)];
    const { labels, predictions } = regression(reference);
    for (const [index, expected] of estimates.entries()) {
      const { rows } = regression(windows[index] ?? [0, 0, 0]);
      const found = estimateDle(
        fitDle(labels, predictions),
        rows.map((row) => absoluteLoss.lossOf(row)),
        rows.map((row) => squaredLoss.lossOf(row)),
      );
      for (const measure of ['mae', 'rmse'] as const) {
        const { value, low, high } = found[measure];
        expectAllClose([value, low, high], expected[measure]);
      }
    }
    // The second window is of inputs whose answers err more.
    expect(estimates[1]?.mae[0]).toBeGreaterThan(1.2 * (estimates[0]?.mae[0] ?? Infinity));
  });
});

describe('estimates hold what they promise', () => {
  it('follow the true measures when inputs drift and calibration holds', () => {
    const reference = labelled([11, 3_000, 1]);
    const window = labelled([12, 3_000, 1, 0.7]);
    const found = estimateCbpe(fitCbpe(reference.labels, reference.scores), window.scores);
    const right = window.scores.filter((score, row) => score >= 0.5 === (window.labels[row] === 1)).length;
    expect(right / 3_000).toBeGreaterThan(found.accuracy.low);
    expect(right / 3_000).toBeLessThan(found.accuracy.high);
  });

  it('calibrate scores that say too much, as NannyML decides too', () => {
    const steep = numbers.cbpe.filter((entry) => entry.reference[2] < 1);
    expect(steep.map((entry) => entry.calibrate)).toEqual([true]);
    for (const { reference } of steep) {
      const { labels, scores } = labelled(reference);
      expect(fitCbpe(labels, scores).calibrator).toBeDefined();
    }
  });

  it('do not calibrate where only one class was seen', () => {
    expect(fitCbpe([1, 1, 1], [0.2, 0.5, 0.9]).calibrator).toBeUndefined();
  });
});

describe("distances with NannyML's bins are NannyML's", () => {
  it.each(numbers.drift.map((entry) => [entry.a[1], entry] as const))('%d reference values', (_, expected) => {
    const [a, b] = [normals(expected.a), normals(expected.b)];
    const counts = byBin(a, b);
    const [r, c] = [counts.a.map((count) => count / a.length), counts.b.map((count) => count / b.length)];
    expectClose(jensenShannon(r, c, 2), expected.jensen_shannon ?? 0);
    expectClose(hellinger(r, c), expected.hellinger ?? 0);
    expectClose(wasserstein(a, b), expected.wasserstein ?? 0);
    expectClose(ks(a, b), expected.kolmogorov_smirnov ?? 0);
  });
});

/** Doane's bins of the reference; what lies outside is one more bin. */
function byBin(a: number[], b: number[]): { a: number[]; b: number[] } {
  const edges = doaneEdges(a);
  const [first = 0, last = 0] = [edges[0], edges.at(-1)];
  const inside = b.filter((value) => value >= first && value <= last);
  const inner = edges.slice(1, -1);
  return {
    a: [...binCounts(a, inner, 'left'), 0],
    b: [...binCounts(inside, inner, 'left'), b.length - inside.length],
  };
}

describe('the trees of a loss model', () => {
  const stump: LossTree = {
    feature: [0, -1, -1],
    value: [2, 5, -1],
    left: [1, 0, 0],
    right: [2, 0, 0],
    missing: [2, 0, 0],
  };

  it('send a row to the left at the split, and a missing value where it belongs; no loss is below 0', () => {
    const lossOf = (value: number, trees: readonly LossTree[]): number =>
      new LossModel(trees).lossOf(Float64Array.of(value));
    expect([1, 2, 2.1, Number.NaN].map((value) => lossOf(value, [stump, stump]))).toEqual([10, 10, 0, 0]);
    const constant: LossTree = { feature: [-1], value: [3], left: [0], right: [0], missing: [0] };
    expect([1, 3].map((value) => lossOf(value, [constant, stump]))).toEqual([8, 2]);
  });

  it.each([
    ['no node', { feature: [] }, 'a tree without nodes'],
    ['parts of different length', { value: [2, 5] }, 'expected 3 entries in each part of a tree, found 2'],
    ['a column that is not there', { feature: [1, -1, -1] }, 'a split by column 1; there are 1'],
    ['a way back', { right: [0, 0, 0] }, 'the child 0 of node 0: expected one behind it, below 3'],
    ['a way out', { missing: [3, 0, 0] }, 'the child 3 of node 0: expected one behind it, below 3'],
  ])('are refused with %s', (_, change, fault) => {
    expect(faultOfTree({ ...stump, ...change }, 1)).toBe(fault);
  });
});
