import { expectClose, golden } from '../../test/golden';
import { betaI, studentTwoSided } from './beta';
import { chiSquareSurvival, gammaP, gammaQ, logGamma } from './gamma';
import { kolmogorovSurvival } from './kolmogorov';
import { normalCdf, normalQuantile, normalSurvival } from './normal';
import { Random } from './random';

type Rows = readonly (readonly [number, number, number, number])[];
const numbers = golden<{
  gamma: Rows;
  beta: Rows;
  normal: Rows;
  quantile: Rows;
  kolmogorov: Rows;
  student: Rows;
  logGamma: Rows;
}>('numerics');

/** Below this SciPy's own numbers and doubles end. */
const SMALLEST = 1e-300;

describe("special functions have SciPy's numbers to 1e-9 of their size, into the tails", () => {
  it('incomplete gamma', () => {
    for (const [a, x, lower, upper] of numbers.gamma) {
      expectClose(gammaP(a, x), lower, SMALLEST);
      expectClose(gammaQ(a, x), upper, SMALLEST);
    }
  });

  it('logarithm of gamma', () => {
    for (const [x, expected] of numbers.logGamma) expectClose(logGamma(x), expected);
  });

  it('incomplete beta', () => {
    for (const [x, a, b, expected] of numbers.beta) expectClose(betaI(x, a, b), expected, SMALLEST);
  });

  it('normal distribution and its quantiles', () => {
    for (const [z, upper, lower] of numbers.normal) {
      expectClose(normalSurvival(z), upper, SMALLEST);
      expectClose(normalCdf(z), lower, SMALLEST);
    }
    for (const [p, expected] of numbers.quantile) expectClose(normalQuantile(p), expected, 1e-6);
  });

  it("Student's t", () => {
    for (const [t, degrees, expected] of numbers.student) expectClose(studentTwoSided(t, degrees), expected, SMALLEST);
  });

  it("Kolmogorov's distribution, from one value to two hundred thousand", () => {
    for (const [n, d, expected] of numbers.kolmogorov) expectClose(kolmogorovSurvival(d, n), expected, SMALLEST);
  });
});

describe('edges of special functions', () => {
  it('answers NaN outside of their domain', () => {
    expect(gammaQ(-1, 1)).toBeNaN();
    expect(betaI(1.5, 1, 1)).toBeNaN();
    expect(normalQuantile(1.5)).toBeNaN();
    expect(kolmogorovSurvival(0.1, 0)).toBeNaN();
  });

  it('answers the limits', () => {
    expect([gammaQ(2, 0), gammaQ(2, Infinity), chiSquareSurvival(0, 3)]).toEqual([1, 0, 1]);
    expect([normalQuantile(0), normalQuantile(1)]).toEqual([-Infinity, Infinity]);
    expect([kolmogorovSurvival(0, 10), kolmogorovSurvival(1, 10)]).toEqual([1, 0]);
  });
});

describe('the portable random generator', () => {
  it('goes on from its state', () => {
    const first = new Random(5);
    first.next();
    const second = new Random(first.state);
    expect(second.sample(20, 5)).toEqual(first.sample(20, 5));
  });

  it('draws without repetition', () => {
    expect(new Set(new Random(3).sample(50, 50)).size).toBe(50);
  });
});
