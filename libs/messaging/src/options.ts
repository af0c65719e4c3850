import type { Brokers } from './log/port';
import type { MessagingLogger } from './logger';

export interface MessagingOptions {
  /** Name of the service: default consumer group, CloudEvents source and producer of the outbox. */
  readonly service: string;
  readonly brokers: Brokers;
  /** Default: silent. */
  readonly logger?: MessagingLogger;
  /** Called once when consuming cannot go on. Default: logs and ends the process with exit code 1. */
  readonly onFatal?: (error: Error) => void;
  readonly tuning?: Partial<Tuning>;
}

export interface Tuning {
  /** Longest time one handler call may take; longer counts as an unknown fault. */
  readonly handlerDeadlineMs: number;
  /**
   * How long the event loop may stand still (an endless loop in a handler) before the process is ended, with the try
   * counted. 0: never.
   */
  readonly eventLoopHangMs: number;
  /** Postgres ends a transaction, and a relay, that is idle for longer: a stopped process holds nothing for ever. */
  readonly idleInTransactionMs: number;
  /** Most events that share one transaction. */
  readonly chunkSize: number;
  /** Partitions of one group worked on at the same time; each takes one database connection. */
  readonly concurrentPartitions: number;
  /** Tries of an event that fails for unknown reasons before it is dead-lettered. */
  readonly maxAttempts: number;
  readonly backoffMinMs: number;
  readonly backoffMaxMs: number;
  /** How often parked events are tried. */
  readonly parkedRetryMs: number;
  /** How long a change of topics waits for further changes. */
  readonly topicsDebounceMs: number;
  readonly sessionTimeoutMs: number;
  readonly heartbeatMs: number;
  /** Longest time the broker holds a fetch open; also bounds how long stopping and resuming take. */
  readonly maxWaitMs: number;
  /**
   * Groups with batch handlers pause after a small batch for as long as it took, and at most for so long: the next one is
   * fuller. Each batch of a partition is a transaction of its own, whose price is the same for one record as for a hundred.
   */
  readonly lingerMs: number;
  /** How long shutting down may wait for the outbox to empty. */
  readonly shutdownMs: number;
}

/*
 * Back-off up to 4 s: after an outage of any length work goes on within 5 s.
 * Session 10 s / heartbeat 1 s: a killed consumer is replaced after 11 s (31 s by default), and ten heartbeats may be
 * missed before a slow one is. maxWait 500 ms: latency does not depend on it, stopping and resuming do.
 */
export const defaultTuning: Tuning = {
  handlerDeadlineMs: 60_000,
  eventLoopHangMs: 30_000,
  idleInTransactionMs: 20_000,
  chunkSize: 500,
  concurrentPartitions: 4,
  maxAttempts: 5,
  backoffMinMs: 100,
  backoffMaxMs: 4_000,
  parkedRetryMs: 250,
  topicsDebounceMs: 200,
  sessionTimeoutMs: 10_000,
  heartbeatMs: 1_000,
  maxWaitMs: 500,
  lingerMs: 25,
  shutdownMs: 10_000,
};
