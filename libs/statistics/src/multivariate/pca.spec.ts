import { expectAllClose, expectClose, golden, normals, uniforms } from '../../test/golden';
import { deviationThresholds } from '../decisions/calibrated-threshold';
import { mean } from '../samples';
import { fitReconstruction, RowReconstruction, type Reconstruction } from './pca';

const numbers = golden<{ reconstruction: { components: number; kept: number; errors: number[] }[] }>('performance');

/** As golden/performance_numbers.py has it: five columns of which two follow others, unless shifted. */
function correlated(seed: number, rows: number, shift: number): number[][] {
  const [a = [], b = [], c = []] = [0, 1, 2].map((i) => normals([seed + i, rows, i, 1 + i, null]));
  return uniforms(seed + 9, rows).map((noise, row) => {
    const [x = 0, y = 0, z = 0] = [a[row], b[row], c[row]];
    return [x, y, z, x + 0.3 * noise + shift * y, 2 * y - z + noise];
  });
}

function errorsOf(fitted: Reconstruction, rows: readonly (readonly number[])[]): number[] {
  const of = new RowReconstruction(fitted);
  return rows.map((row) => of.errorOf(row));
}

describe("reconstruction errors are scikit-learn's", () => {
  const reference = correlated(91, 400, 0);
  const windows = [reference, correlated(95, 150, 0), correlated(97, 150, 1)];

  it.each(numbers.reconstruction.map((entry) => [entry.components, entry] as const))(
    'with components for %d',
    (share, expected) => {
      const fitted = fitReconstruction(reference, share);
      expect(fitted.components).toHaveLength(expected.kept);
      for (const [index, window] of windows.entries()) {
        expectClose(mean(errorsOf(fitted, window)), expected.errors[index] ?? 0);
      }
    },
  );

  it('rise when features stop going together', () => {
    const fitted = fitReconstruction(reference, 0.9);
    const [, same = [], apart = []] = windows.map((window) => errorsOf(fitted, window));
    expect(mean(apart)).toBeGreaterThan(2 * mean(same));
  });
});

describe("reconstruction errors are NannyML's", () => {
  type Made = readonly [number, number, boolean];
  const { reconstruction: expected } = golden<{
    reconstruction: {
      reference: Made;
      chunk: number;
      windows: Made[];
      kept: number;
      own: number[];
      errors: number[];
      upper: number;
      lower: number;
      alerts: boolean[];
    };
  }>('nannyml');

  /** As golden/nannyml_numbers.py has it: every seventh value of the second column is missing. */
  function together([seed, rows, turned]: Made): number[][] {
    const [a = [], b = [], c = []] = [0, 1, 2].map((i) => normals([seed + i, rows, i, 1 + i, null]));
    return uniforms(seed + 9, rows).map((noise, row) => {
      const [x = 0, y = 0, z = 0] = [a[row], b[row], c[row]];
      return [x, row % 7 === 0 ? Number.NaN : y, z, (turned ? -x : x) + 0.3 * noise, 2 * y - z + noise];
    });
  }

  it('of its chunks, with missing values, and so are its thresholds and alerts', () => {
    const reference = together(expected.reference);
    const fitted = fitReconstruction(reference);
    expect(fitted.components).toHaveLength(expected.kept);
    const errors = errorsOf(fitted, reference);
    const own = expected.own.map((_, chunk) =>
      mean(errors.slice(chunk * expected.chunk, (chunk + 1) * expected.chunk)),
    );
    expectAllClose(own, expected.own);
    const { low, high } = deviationThresholds(own);
    expectAllClose([low, high], [expected.lower, expected.upper]);
    const found = expected.windows.map((window) => mean(errorsOf(fitted, together(window))));
    expectAllClose(found, expected.errors);
    expect(found.map((error) => error > high || error < low)).toEqual(expected.alerts);
    expect(expected.alerts).toEqual([false, true]);
  });
});

describe('a reconstruction', () => {
  it('takes what is missing, or no number, as the mean of its feature', () => {
    const fitted = fitReconstruction(correlated(91, 400, 0));
    const [typical = 0] = errorsOf(fitted, [fitted.means]);
    expect(typical).toBeCloseTo(0, 12);
    const without = fitted.means.map((value, j) => [Number.NaN, Infinity, value][j] ?? value);
    expect(errorsOf(fitted, [without])).toEqual([typical]);
  });

  it('leaves one direction to err in, also of two features that have nothing to do with each other', () => {
    const other = normals([6, 400, 0, 1, null]);
    const pairs = normals([5, 400, 0, 1, null]).map((x, row) => [x, other[row] ?? 0, 7]);
    const fitted = fitReconstruction(pairs);
    expect(fitted.components).toHaveLength(1);
    expect(mean(errorsOf(fitted, pairs))).toBeGreaterThan(0.5);
    expect(fitted.deviations[2]).toBe(1);
  });

  it('needs rows, and values of every feature', () => {
    expect(() => fitReconstruction([])).toThrow('two rows');
    expect(() =>
      fitReconstruction([
        [1, Number.NaN],
        [2, Number.NaN],
      ]),
    ).toThrow('feature 1 has no value');
  });
});
