/** What a test of "both samples come from one distribution" found. NaN where a sample is too small to say anything. */
export interface TestResult {
  readonly statistic: number;
  /** Probability of a statistic at least as extreme when nothing has changed. */
  readonly pValue: number;
}

export const UNDECIDED: TestResult = { statistic: Number.NaN, pValue: Number.NaN };
