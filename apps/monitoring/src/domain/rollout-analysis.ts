// Is the candidate better? Paired losses in blocks of event time, looked at after every block (docs/adr/0010).
import type { Endpoint } from '@headrace/definitions';
import { formatDuration, MICROS, parseDuration } from '@headrace/event-time';
import {
  gatherBlocks,
  type Gathering,
  type Pair,
  confidenceSequence,
  type ConfidenceInterval,
} from '@headrace/statistics';

export type AnalysisRules = Endpoint['spec']['rollout']['analysis'];

export interface AnalysisState {
  /** Event time of the first request that both versions scored. */
  readonly startMicros: number;
  /** Pairs with label event time before this are in the blocks or gathered already. */
  readonly analysedToMicros: number;
  readonly gathering: Gathering;
  readonly means: readonly number[];
  /** Pairs of the whole blocks. */
  readonly pairs: number;
}

export type Verdict = {
  readonly verdict: 'promote' | 'roll_back';
  readonly improvement: ConfidenceInterval;
  readonly pairs: number;
  readonly reason: string;
  /** The last pair of the deciding block; undefined when time ran out before any block. */
  readonly decidingPredictionId: string | undefined;
};

export interface Analysed {
  readonly state: AnalysisState;
  readonly verdict: Verdict | undefined;
}

export function beginAnalysis(startMicros: number): AnalysisState {
  return {
    startMicros,
    analysedToMicros: -Infinity,
    gathering: { pairs: 0, total: 0 },
    means: [],
    pairs: 0,
  };
}

/** Buckets that end at or before this are closed. */
export function closedBucketsEnd(horizonMicros: number, rules: AnalysisRules): number {
  const length = parseDuration(rules.block);
  return horizonMicros === Infinity ? Infinity : Math.floor(horizonMicros / length) * length;
}

/**
 * Takes the pairs of the buckets that closed since: label event time in [analysedTo, closedTo). Stops at the block that
 * decides: what follows it is analysed again for a later step.
 */
export function analyse(
  before: AnalysisState,
  pairs: readonly Pair[],
  closedToMicros: number,
  horizonMicros: number,
  rules: AnalysisRules,
  /** A paused rollout may not be promoted; one whose step has passed is not called undecided. */
  { mayPromote, mayExpire }: { mayPromote: boolean; mayExpire: boolean } = { mayPromote: true, mayExpire: true },
): Analysed {
  const length = parseDuration(rules.block);
  const found = gatherBlocks(pairs, before.gathering, length, rules.minimumPairsOfBlock);
  let state = before;
  for (const block of found.blocks) {
    state = {
      ...state,
      analysedToMicros: block.endMicros,
      gathering: { pairs: 0, total: 0 },
      means: [...state.means, block.mean],
      pairs: state.pairs + block.pairs,
    };
    const improvement = confidenceSequence(state.means, rules.alpha);
    const decided = decide(improvement, state, block.endMicros, rules, mayPromote);
    if (decided) {
      const verdict = { ...decided, improvement, pairs: state.pairs, decidingPredictionId: block.lastPredictionId };
      return { state, verdict };
    }
  }
  state = { ...state, analysedToMicros: closedToMicros, gathering: found.gathering };
  const lasts = horizonMicros - state.startMicros;
  if (!mayExpire || lasts < parseDuration(rules.maximumDuration)) return { state, verdict: undefined };
  const verdict = {
    verdict: 'roll_back' as const,
    improvement: confidenceSequence(state.means, rules.alpha),
    pairs: state.pairs,
    reason: `undecided after ${rules.maximumDuration} of event time: the champion stays`,
    decidingPredictionId: undefined,
  };
  return { state, verdict };
}

function decide(
  improvement: ConfidenceInterval,
  state: AnalysisState,
  endMicros: number,
  rules: AnalysisRules,
  mayPromote: boolean,
): Pick<Verdict, 'verdict' | 'reason'> | undefined {
  const lasted = endMicros - state.startMicros;
  const minutes = formatDuration(Math.max(Math.floor(lasted / MICROS.m), 1) * MICROS.m);
  const after = `after ${state.pairs} labelled pairs in ${state.means.length} blocks, ${minutes} of event time`;
  if (improvement.high < 0 && state.pairs >= rules.minimumPairsToRollBack) {
    return { verdict: 'roll_back', reason: `the candidate is worse ${after}` };
  }
  const longEnough = lasted >= parseDuration(rules.minimumDuration);
  if (mayPromote && improvement.low > 0 && state.pairs >= rules.minimumPairsToPromote && longEnough) {
    return { verdict: 'promote', reason: `the candidate is better ${after}` };
  }
  return undefined;
}
