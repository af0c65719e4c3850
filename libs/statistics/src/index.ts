export { gatherBlocks, type Block, type Blocks, type Gathering, type Pair } from './blocks';
export { confidenceSequence, type ConfidenceInterval } from './confidence-sequence';
export { jensenShannon, ks, normedWasserstein } from './distances';
export {
  auc,
  aucInterval,
  binaryPerformance,
  mean,
  meanInterval,
  measured,
  regressionPerformance,
  type BinaryPerformance,
  type Interval,
  type RegressionPerformance,
} from './performance';
export { binCounts, present, psi, quantileEdges, sharesOf, type ClosedAt } from './psi';
