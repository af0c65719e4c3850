import { studentTwoSided } from '../numerics/beta';
import { mean, present, variance } from '../samples';
import { UNDECIDED, type TestResult } from './result';

/**
 * Student's t-test of two means with a pooled variance, two-sided, as scipy.stats.ttest_ind and Evidently's "t_test".
 * Sees a shift of the mean only; assumes equal variances and roughly normal means. Minimum: three values together and
 * some variance. NaN is left out.
 */
export function studentsT(a: readonly number[], b: readonly number[]): TestResult {
  const [left, right] = [present(a), present(b)];
  const degrees = left.length + right.length - 2;
  if (left.length === 0 || right.length === 0 || degrees < 1) return UNDECIDED;
  const squares = variance(left, 0) * left.length + variance(right, 0) * right.length;
  const statistic = (mean(left) - mean(right)) / Math.sqrt((squares / degrees) * (1 / left.length + 1 / right.length));
  return { statistic, pValue: studentTwoSided(statistic, degrees) };
}
