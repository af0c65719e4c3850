import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { gatherBlocks } from './blocks';
import { confidenceSequence } from './confidence-sequence';
import { binCounts, quantileEdges, sharesOf } from './distances/bins';
import { normedWasserstein } from './distances/samples';
import { jensenShannon, psi } from './distances/shares';
import { aucInterval, binaryPerformance, regressionPerformance } from './performance';
import { ks } from './tests/ks';

interface Golden {
  psi: {
    reference: (number | null)[];
    current: number[];
    edges: number[];
    referenceShares: number[];
    currentShares: number[];
    psi: number;
    currentPlus100Psi: number;
  };
  ks: { ks: number };
  performance: { label: number[]; p: number[]; brier: number; logLoss: number; auc: number; calibration: number };
  blocks: {
    times: number[];
    differences: number[];
    lengthMillis: number;
    minimumPairs: number;
    blocks: { end: number; n: number; mean: number }[];
  };
  confidenceSequence: {
    values: number[];
    alpha: number;
    tau: number;
    mean: number;
    low: number | null;
    high: number | null;
  }[];
}

const golden = JSON.parse(
  readFileSync(join(__dirname, '../../../examples/flight-delays/study/golden.json'), 'utf8'),
) as Golden;
const reference = golden.psi.reference.map((value) => value ?? Number.NaN);
const DIGITS = 9;

function expectAll(actual: readonly number[], expected: readonly number[]): void {
  expect(actual).toHaveLength(expected.length);
  for (const [index, value] of expected.entries()) expect(actual[index]).toBeCloseTo(value, DIGITS);
}

describe('the statistics give the numbers of the study', () => {
  it('has the same PSI, from edges to sum', () => {
    const edges = quantileEdges(reference);
    expectAll(edges, golden.psi.edges);
    const r = sharesOf(binCounts(reference, edges, 'right'));
    const c = sharesOf(binCounts(golden.psi.current, edges, 'right'));
    expectAll(r, golden.psi.referenceShares);
    expectAll(c, golden.psi.currentShares);
    expect(psi(r, c)).toBeCloseTo(golden.psi.psi, DIGITS);
  });

  it('has the same PSI when a bin is empty', () => {
    const edges = quantileEdges(reference);
    const far = golden.psi.current.map((value) => value + 100);
    const shares = sharesOf(binCounts(far, edges, 'right'));
    expect(psi(sharesOf(binCounts(reference, edges, 'right')), shares)).toBeCloseTo(
      golden.psi.currentPlus100Psi,
      DIGITS,
    );
  });

  it('has the same KS', () => {
    expect(ks(reference, golden.psi.current)).toBeCloseTo(golden.ks.ks, DIGITS);
  });

  it('has the same performance', () => {
    const { label, p } = golden.performance;
    const measured = binaryPerformance(label, p);
    expect(measured.brier).toBeCloseTo(golden.performance.brier, DIGITS);
    expect(measured.log_loss).toBeCloseTo(golden.performance.logLoss, DIGITS);
    expect(measured.auc).toBeCloseTo(golden.performance.auc, DIGITS);
    expect(measured.calibration).toBeCloseTo(golden.performance.calibration, DIGITS);
  });

  it('has the same blocks, whether the pairs come at once or bucket by bucket', () => {
    const { times, differences, lengthMillis, minimumPairs, blocks } = golden.blocks;
    const length = lengthMillis * 1_000;
    const pairs = times.map((time, index) => ({
      predictionId: String(index).padStart(4, '0'),
      timeMicros: time * 1_000,
      difference: differences[index] ?? 0,
    }));
    const atOnce = gatherBlocks(pairs, { pairs: 0, total: 0 }, length, minimumPairs).blocks;
    let gathering = { pairs: 0, total: 0 };
    const piecewise = [];
    for (const bucket of new Set(pairs.map((pair) => Math.floor(pair.timeMicros / length)))) {
      const inside = pairs.filter((pair) => Math.floor(pair.timeMicros / length) === bucket);
      const step = gatherBlocks(inside, gathering, length, minimumPairs);
      piecewise.push(...step.blocks);
      gathering = { ...step.gathering };
    }
    for (const found of [atOnce, piecewise]) {
      expect(found.map((block) => [block.endMicros / 1_000, block.pairs])).toEqual(blocks.map((b) => [b.end, b.n]));
      expectAll(
        found.map((block) => block.mean),
        blocks.map((b) => b.mean),
      );
    }
  });

  it.each(golden.confidenceSequence.map((c) => [c.values.length, c] as const))(
    'has the same confidence sequence after %d blocks',
    (_, expected) => {
      const found = confidenceSequence(expected.values, expected.alpha, expected.tau);
      expect(found.mean).toBeCloseTo(expected.mean, DIGITS);
      if (expected.low === null) expect([found.low, found.high]).toEqual([-Infinity, Infinity]);
      else expectAll([found.low, found.high], [expected.low, expected.high ?? 0]);
    },
  );
});

describe('the other distances', () => {
  it('puts a value on an edge into the upper bin when bins are closed at the left, as the profile counts them', () => {
    expect(binCounts([1, 2, 2, 3, Number.NaN], [2], 'left')).toEqual([1, 3]);
    expect(binCounts([1, 2, 2, 3, Number.NaN], [2], 'right')).toEqual([3, 1]);
  });

  it('has the Jensen-Shannon distance 0 for equal shares and √ln 2 for disjoint ones', () => {
    expect(jensenShannon([0.5, 0.5], [0.5, 0.5])).toBe(0);
    expect(jensenShannon([1, 0], [0, 1])).toBeCloseTo(Math.sqrt(Math.LN2), 12);
  });

  it('has the Wasserstein distance of a shifted sample as the shift in standard deviations', () => {
    expect(normedWasserstein([0, 1, 2, 3], [5, 6, 7, 8], 2)).toBeCloseTo(2.5, 12);
    expect(normedWasserstein([0, 0, 2], [1], 0)).toBeCloseTo(1_000, 9);
  });

  it('has no KS of an empty side', () => {
    expect(ks([], [1])).toBeNaN();
  });
});

describe('intervals of measures', () => {
  it('holds the AUC within its interval and narrows with rows', () => {
    const { label, p } = golden.performance;
    const once = aucInterval(label, p);
    const tenTimes = aucInterval(Array<number[]>(10).fill(label).flat(), Array<number[]>(10).fill(p).flat());
    expect(once.low).toBeLessThan(once.value);
    expect(tenTimes.value).toBeCloseTo(once.value, 12);
    expect(tenTimes.high - tenTimes.low).toBeLessThan((once.high - once.low) / 3);
  });

  it('says nothing about an AUC without both classes', () => {
    expect(aucInterval([1, 1], [0.2, 0.3])).toEqual({ value: Number.NaN, low: 0, high: 1 });
  });

  it('measures a regression by mean absolute and root mean squared error', () => {
    expect(regressionPerformance([1, 2], [2, 4])).toEqual({ mae: 1.5, rmse: Math.sqrt(2.5), calibration: -1.5 });
  });
});
