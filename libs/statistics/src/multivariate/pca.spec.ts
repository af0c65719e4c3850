import { expectClose, golden, normals, uniforms } from '../../test/golden';
import { mean } from '../samples';
import { fitReconstruction, reconstructionError } from './pca';

const numbers = golden<{ reconstruction: { components: number; kept: number; errors: number[] }[] }>('performance');

/** As golden/performance_numbers.py has it: five columns of which two follow others, unless shifted. */
function correlated(seed: number, rows: number, shift: number): number[][] {
  const [a = [], b = [], c = []] = [0, 1, 2].map((i) => normals([seed + i, rows, i, 1 + i, null]));
  return uniforms(seed + 9, rows).map((noise, row) => {
    const [x = 0, y = 0, z = 0] = [a[row], b[row], c[row]];
    return [x, y, z, x + 0.3 * noise + shift * y, 2 * y - z + noise];
  });
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
        expectClose(mean(window.map((row) => reconstructionError(fitted, row))), expected.errors[index] ?? 0);
      }
    },
  );

  it('rise when features stop going together', () => {
    const fitted = fitReconstruction(reference, 0.9);
    const [, same = [], apart = []] = windows.map((window) => window.map((row) => reconstructionError(fitted, row)));
    expect(mean(apart)).toBeGreaterThan(2 * mean(same));
  });

  it('are unknown for a row with a missing feature', () => {
    expect(reconstructionError(fitReconstruction(reference), [1, 2, Number.NaN, 1, 1])).toBeNaN();
    expect(() => fitReconstruction([])).toThrow('two rows');
  });
});
