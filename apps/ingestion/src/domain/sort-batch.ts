import type { AcceptedRecord, Judgement, RejectedRecord } from './judge-record';

export interface KnownRecord {
  readonly accepted: AcceptedRecord;
  readonly knownTimeMicros: number;
}

export interface SortedBatch {
  readonly accepted: readonly KnownRecord[];
  readonly rejected: readonly RejectedRecord[];
  readonly duplicates: number;
  /** Known time of the last accepted record, or what it was before. */
  readonly lastKnownMicros: number | undefined;
}

/**
 * Drops repeats and assigns known times, in the order of the log. `fresh`: identities of this batch that no earlier
 * batch accepted; the first record of each is the one that counts. Known time never goes back within a partition of
 * the upstream topic, whatever was declared.
 */
export function sortBatch(
  judgements: readonly Judgement[],
  fresh: ReadonlySet<string>,
  lastKnownMicros: number | undefined,
  clockMicros: number,
): SortedBatch {
  const taken = new Set<string>();
  const accepted: KnownRecord[] = [];
  const rejected: RejectedRecord[] = [];
  let duplicates = 0;
  let last = lastKnownMicros;
  for (const judgement of judgements) {
    if (judgement.kind === 'rejected') rejected.push(judgement);
    else if (!fresh.has(judgement.identity) || taken.has(judgement.identity)) duplicates += 1;
    else {
      taken.add(judgement.identity);
      const declared = judgement.declaredKnownTimeMicros ?? clockMicros;
      last = last === undefined ? declared : Math.max(last, declared);
      accepted.push({ accepted: judgement, knownTimeMicros: last });
    }
  }
  return { accepted, rejected, duplicates, lastKnownMicros: last };
}
