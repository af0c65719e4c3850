import { expectAllClose, expectClose, golden, normals, type Sample } from '../../test/golden';
import { energyDistance, wasserstein } from '../distances/samples';
import { andersonDarling } from './anderson-darling';
import { benjaminiHochberg } from './benjamini-hochberg';
import { contingencyTest, goodnessOfFit } from './contingency';
import { ks, ksTest } from './ks';
import { mannWhitney } from './mann-whitney';
import { proportionsTest } from './proportions';
import type { TestResult } from './result';
import { studentsT } from './students-t';

type Result = readonly [statistic: number, pValue: number];
interface Samples {
  a: Sample;
  b: Sample;
  ks: Result;
  mannWhitney: Result;
  andersonDarling: Result;
  studentsT: Result;
  wasserstein: number;
  energy: number;
}
const numbers = golden<{
  samples: Samples[];
  tables: { a: number[]; b: number[]; pearson: [number, number, number]; g: [number, number, number] }[];
  fits: { a: number[]; b: number[]; pearson: Result; g: Result }[];
  proportions: [number, number, number, number, number, number][];
  benjaminiHochberg: [number[], number[]][];
}>('tests');

function expectResult(found: TestResult, [statistic, pValue]: Result): void {
  expectClose(found.statistic, statistic, 1e-6);
  expectClose(found.pValue, pValue, 1e-290);
}

const sizeOf = ({ a, b }: Samples) => `${a[1]} and ${b[1]} values, ${a[4] === null ? 'no ties' : 'ties'}`;

describe.each(numbers.samples.map((samples) => [sizeOf(samples), samples] as const))(
  "two samples of %s have SciPy's",
  (_, samples) => {
    const [a, b] = [normals(samples.a), normals(samples.b)];
    it('KS', () => expectResult(ksTest(a, b), samples.ks));
    it('Mann-Whitney', () => expectResult(mannWhitney(a, b), samples.mannWhitney));
    it('Anderson-Darling', () => expectResult(andersonDarling(a, b), samples.andersonDarling));
    it("Student's t", () => expectResult(studentsT(a, b), samples.studentsT));
    it('Wasserstein and energy distance', () => {
      expectClose(wasserstein(a, b), samples.wasserstein);
      expectClose(energyDistance(a, b), samples.energy);
    });
  },
);

describe("counts have SciPy's numbers", () => {
  it('of two rows: chi-square with Yates and G', () => {
    for (const { a, b, pearson, g } of numbers.tables) {
      expectResult(contingencyTest(a, b), [pearson[0], pearson[1]]);
      expectResult(contingencyTest(a, b, 'log-likelihood'), [g[0], g[1]]);
      expect(contingencyTest(a, b).degreesOfFreedom).toBe(pearson[2]);
    }
  });

  it('against known shares', () => {
    for (const { a, b, pearson, g } of numbers.fits) {
      expectResult(goodnessOfFit(a, b), pearson);
      expectResult(goodnessOfFit(a, b, 'log-likelihood'), g);
    }
  });

  it('of two proportions', () => {
    for (const [x, n, y, m, statistic, pValue] of numbers.proportions) {
      expectResult(proportionsTest(x, n, y, m), [statistic, pValue]);
    }
  });

  it('p = 0 when a category comes that the reference never had', () => {
    expect(goodnessOfFit([10, 0], [9, 1]).pValue).toBe(0);
    expect(goodnessOfFit([10, 0], [9, 1], 'log-likelihood').pValue).toBe(0);
  });
});

describe('many tests at once', () => {
  it("have SciPy's adjusted p-values", () => {
    for (const [ps, adjusted] of numbers.benjaminiHochberg) expectAllClose(benjaminiHochberg(ps), adjusted);
  });

  it('do not count a test that could say nothing', () => {
    expect(benjaminiHochberg([0.01, Number.NaN, 0.02])).toEqual([0.02, Number.NaN, 0.02]);
  });
});

describe('samples that say nothing', () => {
  it.each([ksTest, mannWhitney, andersonDarling, studentsT])('are undecided: %p', (test) => {
    expect(test([], [1, 2]).pValue).toBeNaN();
  });

  it('leave missing values out', () => {
    expect(ks([1, Number.NaN, 2], [1, 2])).toBe(0);
    expect(mannWhitney([1, Number.NaN], [2]).statistic).toBe(0);
  });

  it('find no change in equal samples', () => {
    expect(ksTest([1, 2, 3], [1, 2, 3])).toEqual({ statistic: 0, pValue: 1 });
    expect(proportionsTest(0, 5, 0, 9).pValue).toBe(1);
    expect(contingencyTest([5], [9]).pValue).toBe(1);
  });
});
