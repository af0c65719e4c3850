export { gatherBlocks, type Block, type Blocks, type Gathering, type Pair } from './blocks';
export { confidenceSequence, type ConfidenceInterval } from './confidence-sequence';
export {
  binCounts,
  categoryCounts,
  doaneEdges,
  quantileEdges,
  sharesOf,
  sturgesEdges,
  withoutZeros,
  type ClosedAt,
} from './distances/bins';
export { energyDistance, normedWasserstein, wasserstein } from './distances/samples';
export { hellinger, jensenShannon, kullbackLeibler, largestDifference, psi, totalVariation } from './distances/shares';
export { betaI, studentTwoSided } from './numerics/beta';
export { chiSquareSurvival, gammaP, gammaQ, logGamma } from './numerics/gamma';
export { kolmogorovSurvival } from './numerics/kolmogorov';
export { normalCdf, normalQuantile, normalSurvival } from './numerics/normal';
export { Random } from './numerics/random';
export {
  auc,
  aucInterval,
  binaryPerformance,
  meanInterval,
  measured,
  regressionPerformance,
  type BinaryPerformance,
  type Interval,
  type RegressionPerformance,
} from './performance';
export { mean, present } from './samples';
export { Adwin, type AdwinOptions, type AdwinState } from './sequential/adwin';
export { Ddm, type DdmOptions, type DdmState } from './sequential/ddm';
export type { Detector, Verdict } from './sequential/detector';
export { Eddm, type EddmOptions, type EddmState } from './sequential/eddm';
export { Kswin, type KswinOptions, type KswinState } from './sequential/kswin';
export { PageHinkley, type PageHinkleyOptions, type PageHinkleyState } from './sequential/page-hinkley';
export { andersonDarling } from './tests/anderson-darling';
export { benjaminiHochberg } from './tests/benjamini-hochberg';
export { contingencyTest, goodnessOfFit, type ContingencyResult, type Divergence } from './tests/contingency';
export { ks, ksTest } from './tests/ks';
export { mannWhitney } from './tests/mann-whitney';
export { proportionsTest } from './tests/proportions';
export type { TestResult } from './tests/result';
export { studentsT } from './tests/students-t';
