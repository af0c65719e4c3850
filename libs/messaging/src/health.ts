export interface PausedPartition {
  readonly group: string;
  readonly topic: string;
  readonly partition: number;
  readonly reason: string;
  readonly sinceMs: number;
}

export interface MessagingStatus {
  /** False while a group has not joined, a partition waits for the database or broker, or the relay has no connection. */
  readonly ready: boolean;
  readonly reasons: readonly string[];
  readonly paused: readonly PausedPartition[];
}

/** For /readyz. */
export interface MessagingHealth {
  status(): MessagingStatus;
}
