/** What a reader knows about one partition of a stream. */
export interface PartitionProgress {
  readonly partition: number;
  /** Largest time (known time or event time) processed; −Infinity before the first record. */
  readonly maxTimeMicros: number;
  /** Nothing is waiting in it and nothing came for a while: it does not hold the stream back. */
  readonly idle: boolean;
}

/**
 * The time up to which a stream is complete: every record with a time ≤ watermark has been processed, provided that
 * times never go back within a partition. The lowest among the partitions that are not idle; when all are idle, the
 * highest time seen. −Infinity when nothing is known. The watermark itself is exclusive of equal times that may still
 * come: a partition's own last time may be repeated by its next record, so the last moment is held back by 1 µs.
 */
export function watermarkOf(partitions: readonly PartitionProgress[]): number {
  let lowestActive = Infinity;
  let highest = -Infinity;
  let active = 0;
  for (const { maxTimeMicros, idle } of partitions) {
    if (maxTimeMicros > highest) highest = maxTimeMicros;
    if (!idle) {
      active += 1;
      if (maxTimeMicros < lowestActive) lowestActive = maxTimeMicros;
    }
  }
  if (active === 0) return highest;
  return lowestActive === -Infinity ? -Infinity : lowestActive - 1;
}
