// What the library needs of a log. Two implementations: Kafka by kafkajs (../kafka) and one in memory (../memory) for
// specs; test/conformance.ts holds both to the same behaviour.
import type { MessagingLogger } from '../logger';
import type { HeaderBlock } from '../record-bytes';
import type { RawRecord } from '../types';

/** What a topic is created with. */
export interface TopicConfig {
  readonly name: string;
  readonly partitions: number;
  readonly cleanup: 'delete' | 'compact';
  /** Milliseconds; −1 keeps for ever. */
  readonly retentionMs: number;
  /** Copies of each partition. Default: the broker's own default. */
  readonly replicationFactor?: number;
}

/** A topic as it is. */
export interface TopicState {
  readonly name: string;
  readonly partitions: number;
  /** `delete`, `compact`, or both with a comma. */
  readonly cleanup: string;
  /** Milliseconds; −1 keeps for ever. */
  readonly retentionMs: number;
}

export interface PartitionOffsets {
  readonly partition: number;
  /** First offset that can be read. */
  readonly low: number;
  /** Next offset to be written. */
  readonly high: number;
}

export interface LogMessage {
  readonly topic: string;
  readonly key: Buffer | null;
  readonly value: Buffer | null;
  readonly headers: Readonly<Record<string, Buffer | string>> | HeaderBlock;
  /** Default: by key, as Kafka's own clients choose (murmur2). */
  readonly partition?: number;
}

/** One connection to a log. */
export interface EventLog {
  /** Identity of the cluster: positions belong to one. */
  clusterId(): Promise<string>;
  topicNames(): Promise<Set<string>>;
  /** Ids of topics: one that was deleted and made again has another. Without those that do not exist or have none. */
  topicIds(topics: readonly string[]): Promise<Map<string, string>>;
  /** Creates what is missing, leaves what exists as it is, and resolves when all of them can be written to. */
  createTopics(topics: readonly TopicConfig[]): Promise<void>;
  /** Of topics that exist. A log whose topics nobody else can make has nothing to tell. */
  topicStates?(names: readonly string[]): Promise<TopicState[]>;
  /** Of each partition, in no particular order. Rejects when the topic does not exist. */
  offsets(topic: string): Promise<PartitionOffsets[]>;
  /**
   * For each partition the first offset whose record was written at or after this time (milliseconds since the epoch); its
   * end when there is none.
   */
  offsetsAt(topic: string, timestampMs: number): Promise<Map<number, number>>;
  connectProducer(): Promise<LogProducer>;
  /** Does nothing before `start`. */
  consumer(options: ConsumerOptions): LogConsumer;
  /** Producers and consumers are closed by who made them, before. */
  close(): Promise<void>;
}

export interface LogProducer {
  /**
   * Appends in order for each partition; resolves when every in-sync replica has all of it, and repeats nothing when it
   * tried again on its own. Topics must exist. After a rejection some messages may stand on the log, and the producer
   * must not be used any more.
   */
  send(messages: readonly LogMessage[]): Promise<void>;
  close(): Promise<void>;
}

export interface ConsumerOptions {
  readonly group: string;
  /** A member that says nothing for so long loses its partitions. */
  readonly sessionTimeoutMs: number;
  readonly heartbeatMs: number;
  /** Longest time a fetch waits for something to come. */
  readonly maxWaitMs: number;
  /** Partitions whose batches are given at the same time; of one partition always one after the other. */
  readonly concurrentPartitions: number;
  readonly maxBytesPerPartition?: number;
  /** A group of this consumer alone, forgotten when it stops. */
  readonly passing?: boolean;
}

export interface ConsumerListener {
  /**
   * The group gave these partitions to this member, instead of what it had. A seek or pause in this call comes before
   * the first fetch; without one a partition begins where the group reported it, or else at its first record.
   */
  onJoined(assignment: ReadonlyMap<string, readonly number[]>): void;
  /** Records behind a `moved` position are not given again, others are: from where it was last moved or sought. */
  onBatch(batch: LogBatch): Promise<void>;
  /** After a batch that was moved to its end, and for stretches that hold no records (markers of transactions). */
  onPassed?(topic: string, partition: number, next: number): void;
  /** The consumer gave up and gives nothing any more. Outages and rebalances are no reason: those it outlasts. */
  onGivenUp(error: Error): void;
}

export interface LogBatch {
  readonly topic: string;
  readonly partition: number;
  /** Offset the fetch asked for: between it and the first record the log holds nothing. */
  readonly fetchedFrom: number;
  readonly records: readonly RawRecord[];
  /** Where the next fetch goes on. */
  readonly end: number;
  /** End of the log when the fetch was answered. */
  readonly highWatermark: number;
  /** The next fetch begins here. */
  moved(position: number): void;
  /** False when the partition may belong to another member by now, was sought elsewhere, or the consumer stops. */
  isCurrent(): boolean;
}

export interface LogConsumer {
  start(topics: readonly string[], listener: ConsumerListener): Promise<void>;
  seek(topic: string, partition: number, offset: number): void;
  pause(topic: string, partition: number): void;
  resume(topic: string, partition: number): void;
  /** Tells the log how far the group has come: for tools that show lag, and where a member begins that does not seek. */
  report(positions: readonly { topic: string; partition: number; next: number }[]): Promise<void>;
  /** Waits for the batches in hand, then leaves the group. */
  stop(): Promise<void>;
}

/** What logs are connected to; MemoryBroker is one. */
export interface LogBroker {
  connect(clientId: string, logger: MessagingLogger): EventLog;
}

/** Addresses (host:port) of Kafka, or a broker of another kind. */
export type Brokers = readonly string[] | LogBroker;
