/** One labelled request that both versions scored. */
export interface Pair {
  readonly predictionId: string;
  /** Event time of the label. */
  readonly timeMicros: number;
  /** Loss of the champion − loss of the candidate: positive means the candidate is better. */
  readonly difference: number;
}

export interface Block {
  /** End of its last bucket. */
  readonly endMicros: number;
  readonly pairs: number;
  /** Mean difference of its pairs: one value of the confidence sequence. */
  readonly mean: number;
  /** The last pair of it, by time and then id. */
  readonly lastPredictionId: string;
}

/** What was gathered since the last block. */
export interface Gathering {
  readonly pairs: number;
  readonly total: number;
}

export interface Blocks {
  readonly blocks: readonly Block[];
  readonly gathering: Gathering;
}

/**
 * Gathers whole buckets [k·length, (k+1)·length) of event time, in order, until they hold at least `minimumPairs`: that
 * is a block; then gathering starts anew. The pairs must be of closed buckets only. Formula: docs/adr/0010.
 */
export function gatherBlocks(
  pairs: readonly Pair[],
  before: Gathering,
  lengthMicros: number,
  minimumPairs: number,
): Blocks {
  const sorted = [...pairs].sort((a, b) => a.timeMicros - b.timeMicros || (a.predictionId < b.predictionId ? -1 : 1));
  const blocks: Block[] = [];
  let { pairs: count, total } = before;
  for (const [index, pair] of sorted.entries()) {
    count += 1;
    total += pair.difference;
    const bucket = Math.floor(pair.timeMicros / lengthMicros);
    const next = sorted[index + 1];
    const bucketEnds = next === undefined || Math.floor(next.timeMicros / lengthMicros) !== bucket;
    if (!bucketEnds || count < minimumPairs) continue;
    blocks.push({
      endMicros: (bucket + 1) * lengthMicros,
      pairs: count,
      mean: total / count,
      lastPredictionId: pair.predictionId,
    });
    count = 0;
    total = 0;
  }
  return { blocks, gathering: { pairs: count, total } };
}
