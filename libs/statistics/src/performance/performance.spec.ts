import { expectAllClose, expectClose, golden, normals } from '../../test/golden';
import { applyIsotonic, fitIsotonic } from '../estimation/isotonic';
import { Random } from '../numerics/random';
import { aucInterval, binaryPerformance, regressionPerformance } from '../performance';
import { classificationMeasures, confusionOf } from './classification';
import { bootstrapInterval, proportionInterval } from './intervals';
import { meanAbsolutePercentageError, rSquared } from './regression';
import { bySlice } from './slices';

type Labelled = readonly [seed: number, count: number, steepness: number];
const numbers = golden<{
  classification: {
    labelled: Labelled;
    accuracy: number;
    precision: number;
    recall: number;
    specificity: number;
    f1: number;
    auc: number;
    aucVariance: number;
    brier: number;
    logLoss: number;
    isotonic: [number[], number[]];
  }[];
  regression: { seed: number; count: number; mape: number; r2: number; mae: number; rmse: number }[];
  wilson: [number, number, number, number, number][];
}>('performance');

function labelled([seed, count, steepness]: Labelled): { labels: number[]; scores: number[] } {
  const random = new Random(seed);
  const rows = Array.from({ length: count }, () => {
    const score = random.next();
    return { score, label: random.next() < 0.5 + (score - 0.5) * steepness ? 1 : 0 };
  });
  return { labels: rows.map((row) => row.label), scores: rows.map((row) => row.score) };
}

/** As numpy rounds to two digits: halves do not occur in 32 random bits. */
const rounded = (values: readonly number[]): number[] => values.map((value) => Math.round(value * 100) / 100);

describe.each(numbers.classification.map((entry) => [entry.labelled[1], entry] as const))(
  "of %d labelled scores scikit-learn's",
  (_, expected) => {
    const { labels, scores } = labelled(expected.labelled);

    it('measures at a threshold', () => {
      const found = classificationMeasures(confusionOf(labels, scores, 0.4));
      for (const measure of ['accuracy', 'precision', 'recall', 'specificity', 'f1'] as const) {
        expectClose(found[measure].value, expected[measure]);
        expect(found[measure].low).toBeLessThan(expected[measure]);
        expect(found[measure].high).toBeGreaterThan(expected[measure]);
      }
    });

    it('measures of scores', () => {
      const found = binaryPerformance(labels, scores);
      expectClose(found.auc, expected.auc);
      expectClose(found.brier, expected.brier);
      expectClose(found.log_loss, expected.logLoss);
    });

    it("AUC's interval as DeLong defines it", () => {
      const half = 1.959963984540054 * Math.sqrt(expected.aucVariance);
      const { low, high } = aucInterval(labels, scores);
      expectClose(low, Math.max(expected.auc - half, 0));
      expectClose(high, Math.min(expected.auc + half, 1));
    });

    it('isotonic calibration', () => {
      const fit = fitIsotonic(rounded(scores), labels);
      const [at, values] = expected.isotonic;
      expectAllClose(
        at.map((x) => applyIsotonic(fit, x)),
        values,
        1e-3,
      );
    });
  },
);

describe('regression', () => {
  it.each(numbers.regression.map((entry) => [entry.count, entry] as const))(
    "of %d rows has scikit-learn's numbers",
    (_, expected) => {
      const labels = normals([expected.seed, expected.count, 20, 5, null]);
      const errors = normals([expected.seed + 10, expected.count, 0.5, 2, null]);
      const predictions = labels.map((label, row) => label + (errors[row] ?? 0));
      expectClose(meanAbsolutePercentageError(labels, predictions), expected.mape);
      expectClose(rSquared(labels, predictions), expected.r2);
      expectClose(regressionPerformance(labels, predictions).mae, expected.mae);
      expectClose(regressionPerformance(labels, predictions).rmse, expected.rmse);
    },
  );

  it('has no R² where labels do not vary, unless all is right', () => {
    expect([rSquared([2, 2], [2, 2]), rSquared([2, 2], [2, 3]), rSquared([2], [2])]).toEqual([1, 0, Number.NaN]);
  });
});

describe('intervals', () => {
  it("of a proportion are SciPy's Wilson intervals", () => {
    for (const [successes, trials, level, low, high] of numbers.wilson) {
      const found = proportionInterval(successes, trials, level);
      expectClose(found.low, low, 1e-6);
      expectClose(found.high, high, 1e-6);
    }
    expect(proportionInterval(0, 0)).toEqual({ value: Number.NaN, low: 0, high: 1 });
  });

  it('by bootstrap hold the mean as often as they say', () => {
    const hits = Array.from({ length: 100 }, (_, seed) => {
      const values = normals([seed + 1, 60, 0, 1, null]);
      const meanOf = (rows: readonly number[]): number => rows.reduce((sum, row) => sum + (values[row] ?? 0), 0) / 60;
      const { low, high } = bootstrapInterval(60, meanOf, { seed, replicates: 200 });
      return low <= 0 && 0 <= high;
    });
    expect(hits.filter(Boolean).length).toBeGreaterThanOrEqual(86);
  });

  it('by bootstrap are the same for the same seed', () => {
    const first = (rows: readonly number[]): number => rows[0] ?? 0;
    expect(bootstrapInterval(9, first)).toEqual(bootstrapInterval(9, first));
  });
});

describe('slices', () => {
  it('are measured each on its own, and left out when too small', () => {
    const rows = ['a', 'b', 'a', 'c', 'a', 'b'];
    const found = bySlice(
      rows,
      (row) => row,
      (group) => group.length,
      2,
    );
    expect([...found]).toEqual([
      ['a', 3],
      ['b', 2],
    ]);
  });
});
