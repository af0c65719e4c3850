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
  /**
   * The process rebuilds state from the log in a schema of its own (KafkaEventServer.replay): it joins no group and
   * publishes nothing.
   */
  readonly replay?: boolean;
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

/**
 * How long a handler waits for acknowledgements of what it publishes in bulk. Shorter than what ends its transaction and
 * its call: an outage of the broker is a reason to come again, never a fault of the event.
 */
export function bulkPatienceMs({ handlerDeadlineMs, idleInTransactionMs }: Tuning): number {
  return Math.min(10_000, handlerDeadlineMs / 2, idleInTransactionMs / 2);
}

/** The defaults with what is set otherwise; throws one error that names every setting that cannot work. */
export function checkedTuning(set: Partial<Tuning> = {}): Tuning {
  const tuning: Tuning = { ...defaultTuning, ...set };
  const faults: string[] = [];
  for (const [name, value] of Object.entries(tuning) as [keyof Tuning, number][]) {
    const least = MAY_BE_ZERO.has(name) ? 0 : 1;
    if (!(value >= least)) faults.push(`${name}: expected a number from ${least}, got ${value}`);
  }
  const { heartbeatMs, sessionTimeoutMs, backoffMinMs, backoffMaxMs } = tuning;
  if (heartbeatMs >= sessionTimeoutMs) {
    faults.push(
      `heartbeatMs: expected less than sessionTimeoutMs (${sessionTimeoutMs}), better a third of it, got ${heartbeatMs}: ` +
        'the group would lose its partitions between two heartbeats',
    );
  }
  if (backoffMinMs > backoffMaxMs) {
    faults.push(`backoffMinMs: expected at most backoffMaxMs (${backoffMaxMs}), got ${backoffMinMs}`);
  }
  if (faults.length > 0) throw new RangeError(`messaging cannot start, its tuning is wrong:\n  ${faults.join('\n  ')}`);
  return tuning;
}

const MAY_BE_ZERO: ReadonlySet<keyof Tuning> = new Set([
  'eventLoopHangMs',
  'backoffMinMs',
  'backoffMaxMs',
  'topicsDebounceMs',
  'lingerMs',
  'shutdownMs',
]);
