export { gatherBlocks, type Block, type Blocks, type Gathering, type Pair } from './blocks';
export { confidenceSequence, type ConfidenceInterval } from './confidence-sequence';
export { BoundedSequence, type BoundedSequenceOptions, type BoundedSequenceState } from './decisions/bounded-sequence';
export { conformalThreshold, deviationThresholds } from './decisions/calibrated-threshold';
export { defaultTest, type DefaultTest } from './decisions/default-test';
export { expectedRunLength } from './decisions/run-length';
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
export { energyDistance, normedWasserstein, wasserstein, wassersteinOfSorted } from './distances/samples';
export { hellinger, jensenShannon, kullbackLeibler, largestDifference, psi, totalVariation } from './distances/shares';
export {
  estimateCbpe,
  expectedAuc,
  fitCbpe,
  needsCalibration,
  type Cbpe,
  type CbpeMeasure,
  type Estimate,
} from './estimation/cbpe';
export { estimateDle, fitDle, type Dle, type LossEstimate } from './estimation/dle';
export { faultOfTree, LossModel, type LossTree } from './estimation/loss-trees';
export { applyIsotonic, fitIsotonic, type Isotonic } from './estimation/isotonic';
export { fitReconstruction, RowReconstruction, type Reconstruction } from './multivariate/pca';
export { betaI, studentTwoSided } from './numerics/beta';
export { chiSquareSurvival, gammaP, gammaQ, logGamma } from './numerics/gamma';
export { kolmogorovSurvival } from './numerics/kolmogorov';
export { normalCdf, normalQuantile, normalSurvival } from './numerics/normal';
export { Random } from './numerics/random';
export { sortNumbers } from './numerics/sort';
export {
  auc,
  aucInterval,
  binaryPerformance,
  meanInterval,
  measured,
  regressionPerformance,
  type BinaryPerformance,
  type RegressionPerformance,
} from './performance';
export {
  classificationMeasures,
  confusionOf,
  expectedCalibrationError,
  type ClassificationMeasure,
  type Confusion,
} from './performance/classification';
export { largestGap, type GroupGap, type GroupShare } from './performance/fairness';
export { bootstrapInterval, proportionInterval, type Interval } from './performance/intervals';
export { allMeasures, type MeasuresOptions } from './performance/measures';
export { meanAbsolutePercentageError, rSquared } from './performance/regression';
export { bySlice } from './performance/slices';
export { eachValue, mean, present } from './samples';
export { Adwin, type AdwinOptions, type AdwinState } from './sequential/adwin';
export { Ddm, type DdmOptions, type DdmState } from './sequential/ddm';
export type { Detector, Verdict } from './sequential/detector';
export { Eddm, type EddmOptions, type EddmState } from './sequential/eddm';
export { Kswin, type KswinOptions, type KswinState } from './sequential/kswin';
export { PageHinkley, type PageHinkleyOptions, type PageHinkleyState } from './sequential/page-hinkley';
export { CategorySketch, type CategorySketchState } from './sketches/category-counts';
export { FixedHistogram, type FixedHistogramState } from './sketches/fixed-histogram';
export { mergeMoments, momentsOf, NO_VALUES, type MomentsState } from './sketches/moments-sketch';
export { PointCounts, type PointCountsState } from './sketches/point-counts';
export { QuantileSketch, type QuantileSketchState } from './sketches/quantile-sketch';
export { RowSample } from './sketches/row-sample';
export { andersonDarling } from './tests/anderson-darling';
export { benjaminiHochberg } from './tests/benjamini-hochberg';
export { contingencyTest, goodnessOfFit, type ContingencyResult, type Divergence } from './tests/contingency';
export { ks, ksTest, ksTestOf } from './tests/ks';
export { mannWhitney } from './tests/mann-whitney';
export { proportionsTest } from './tests/proportions';
export type { TestResult } from './tests/result';
export { studentsT } from './tests/students-t';
