import { defaultTest } from './default-test';

describe('the test of a feature when none was chosen', () => {
  it.each([
    [1_000, 6, 'ks_p', 0.05],
    [1_000, 5, 'chi_square_p', 0.05],
    [1_001, 6, 'wasserstein', 0.1],
    [1_001, 5, 'js', 0.1],
  ] as const)('of %d reference values, %d different, is %s at %d', (size, different, statistic, threshold) => {
    expect(defaultTest(size, different)).toEqual({ statistic, threshold });
  });
});
