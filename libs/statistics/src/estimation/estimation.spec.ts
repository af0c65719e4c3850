import { expectClose, golden, normals, type Sample } from '../../test/golden';
import { binCounts, doaneEdges } from '../distances/bins';
import { wasserstein } from '../distances/samples';
import { hellinger, jensenShannon } from '../distances/shares';
import { Random } from '../numerics/random';
import { expectedCalibrationError } from '../performance/classification';
import { ks } from '../tests/ks';
import { estimateCbpe, fitCbpe, type CbpeMeasure } from './cbpe';
import { estimateDle, fitDle } from './dle';

type Labelled = readonly [seed: number, count: number, steepness: number, below?: number];
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
