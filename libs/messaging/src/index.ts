export type * from './types';
export type { Letter, LetterState } from './dead-letter-fold';
export { openClusterView, type ClusterView, type GroupLag, type TopicView } from './kafka/cluster-view';
export { DEAD_LETTER_HEADERS, type DeadLetterReason } from './dead-letters';
export { EventTooLarge } from './handler-transaction';
export {
  OnEvent,
  OnEventBatch,
  OnRecordBatch,
  type EventBatchHandler,
  type EventHandler,
  type RecordBatchHandler,
  type RecordBatchOptions,
} from './handlers';
export type { MessagingHealth, MessagingStatus, PausedPartition } from './health';
export { KafkaEventServer } from './kafka-event-server';
export { silentLogger, type MessagingLogger } from './logger';
export { MessagingModule, type MessagingAsyncOptions } from './messaging.module';
export { messagingMigrations } from './migrations';
export { openDeadLetters, type DeadLetters, type RedriveRequest } from './open-dead-letters';
export { boolArray, byteaArray, float8Array, int4Array, int8Array, textArray } from './postgres-arrays';
export { processShard } from './producer-shards';
export { openLogReader } from './open-log-reader';
export { openUpstreamWriter, type UpstreamMessage, type UpstreamWriter } from './open-upstream-writer';
export type { RedriveAction } from './redrive-command';
export { defaultTuning, type MessagingOptions, type Tuning } from './options';
export {
  BULK_PUBLISHER,
  LOG_READER,
  MESSAGING_HEALTH,
  MESSAGING_OPTIONS,
  TOPIC_SUBSCRIPTIONS,
  UNIT_OF_WORK,
} from './tokens';
export type { TopicSubscriptions } from './topic-subscriptions';
export type { Brokers, EventLog, LogBroker, LogMessage, TopicConfig, TopicState } from './log/port';
export { MemoryBroker } from './memory/memory-broker';
export type { PartitionOffset, ReplayedPartition, ReplayRequest, ReplaySummary } from './replay/replay-types';
export type { TopicDifference } from './topic-check';
export { ensureTopics } from './topics';
