/** What of the log a group handles once more. */
export interface ReplayRequest {
  readonly group: string;
  /** Events written at or after this time (milliseconds since the epoch). Default: from the first one of the log. */
  readonly fromTimeMs?: number | undefined;
  /** Where single partitions begin, instead. */
  readonly fromOffsets?: readonly PartitionOffset[];
  /** Events written before this time. Default: what stands on the log at the start. */
  readonly toTimeMs?: number | undefined;
  /** Tells what would be read; handles nothing. */
  readonly dryRun?: boolean;
}

export interface PartitionOffset {
  readonly topic: string;
  readonly partition: number;
  readonly offset: number;
}

/** One partition of a replay: offsets with from ≤ offset < to. */
export interface ReplayedPartition {
  readonly topic: string;
  readonly partition: number;
  readonly from: number;
  readonly to: number;
  /** Records that were there; compaction leaves fewer than there are offsets. 0 in a dry run. */
  readonly records: number;
}

export interface ReplaySummary {
  readonly group: string;
  readonly dryRun: boolean;
  /** Every partition was read from offset 0: nothing that the group ever read is missing. */
  readonly fromBeginning: boolean;
  readonly partitions: readonly ReplayedPartition[];
  /** done, skipped, repeat, dead, not-yet, behind; of each topic and type. */
  readonly outcomes: readonly {
    readonly topic: string;
    readonly type: string;
    readonly outcome: string;
    readonly events: number;
  }[];
  /** What handlers published and dead letters would have been: nothing of it was sent. Of each topic. */
  readonly withheld: readonly { readonly topic: string; readonly events: number }[];
  /** Events that still wait for something at the end. */
  readonly waiting: number;
}
