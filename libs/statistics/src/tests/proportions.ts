import { normalSurvival } from '../numerics/normal';
import { UNDECIDED, type TestResult } from './result';

/**
 * Z-test of two proportions, pooled and two-sided, as Evidently's "z" and statsmodels' proportions_ztest. Successes of
 * trials on both sides. Normal approximation: wants about ten successes and ten failures on each side. The same constant
 * on both sides is no change (p = 1).
 */
export function proportionsTest(successesA: number, trialsA: number, successesB: number, trialsB: number): TestResult {
  if (trialsA === 0 || trialsB === 0) return UNDECIDED;
  const pooled = (successesA + successesB) / (trialsA + trialsB);
  if (pooled === 0 || pooled === 1) return { statistic: 0, pValue: 1 };
  const statistic =
    (successesA / trialsA - successesB / trialsB) / Math.sqrt(pooled * (1 - pooled) * (1 / trialsA + 1 / trialsB));
  return { statistic, pValue: 2 * normalSurvival(Math.abs(statistic)) };
}
