// The topic and event catalogue: names, keys, retention and meaning in one place.
// docs/events.md is generated from it; topics are created from it.
import type { BinaryReader, BinaryWriter } from '@bufbuild/protobuf/wire';
import { DefinitionChanged } from './generated/headrace/definitions/v1/definitions_events';
import {
  DatasetScored,
  FeatureMaterializationFailed,
  FeaturesMaterialized,
  ScoringFailed,
} from './generated/headrace/features/v1/features_events';
import {
  DeploymentActivated,
  ModelLoadFailed,
  PredictionServed,
  VersionsScored,
} from './generated/headrace/inference/v1/inference_events';
import {
  DataArrived,
  DataQualityDegraded,
  DataQualityRestored,
  DataRejected,
  DatasetVersionCommitted,
  WatermarkAdvanced,
} from './generated/headrace/ingestion/v1/ingestion_events';
import {
  AlertRaised,
  AlertResolved,
  DriftDetected,
  GroundTruthArrived,
  PerformanceDegraded,
  ReplayCompleted,
  RetrainingRequested,
  RetrainingWithheld,
  RolloutAnalysisCompleted,
  WindowCut,
} from './generated/headrace/monitoring/v1/monitoring_events';
import {
  AliasChanged,
  DeploymentChanged,
  EndpointChanged,
  GateEvaluated,
  GatesWaived,
  ModelVersionRegistered,
  ModelVersionValidated,
  ReplayRequested,
  ScoringRequested,
} from './generated/headrace/registry/v1/registry_events';
import {
  ModelTrained,
  TrainingFailed,
  TrainingRequested,
  TrainingStarted,
} from './generated/headrace/training/v1/training_events';

/** What ts-proto generates for each message. */
export interface Codec<T> {
  encode(message: T, writer?: BinaryWriter): BinaryWriter;
  decode(input: BinaryReader | Uint8Array, length?: number): T;
  toJSON(message: T): unknown;
}

export interface TopicDefinition {
  /** May contain {stream}: then there is one topic for each DataStream. */
  readonly name: string;
  /** What the record key is, in words. */
  readonly key: string;
  readonly partitions: number;
  readonly cleanup: 'delete' | 'compact';
  /** Milliseconds; −1 keeps for ever. Ignored for compacted topics. */
  readonly retentionMs: number;
  readonly description: string;
}

export interface EventDefinition<T> {
  /** CloudEvents type: the full name of the protobuf message. */
  readonly type: string;
  readonly topic: TopicDefinition;
  readonly codec: Codec<T>;
  readonly keyOf: (data: T) => string;
  /** Service that publishes it. */
  readonly producer: string;
  readonly description: string;
}

const DAY = 86_400_000;
const FOR_EVER = -1;

export const topics = {
  data: {
    name: 'data.{stream}.v1',
    key: 'record key',
    partitions: 4,
    cleanup: 'delete',
    retentionMs: FOR_EVER,
    description: 'Accepted records of one stream, in order for each key.',
  },
  quarantine: {
    name: 'data.{stream}.quarantine.v1',
    key: 'record key, or the upstream key',
    partitions: 1,
    cleanup: 'delete',
    retentionMs: 30 * DAY,
    description: 'Refused records with every reason and the original bytes.',
  },
  ingestion: {
    name: 'ingestion.v1',
    key: 'stream',
    partitions: 4,
    cleanup: 'delete',
    retentionMs: FOR_EVER,
    description: 'Dataset versions and data quality.',
  },
  features: {
    name: 'features.v1',
    key: 'plan',
    partitions: 4,
    cleanup: 'delete',
    retentionMs: FOR_EVER,
    description: 'Training sets joined point-in-time, dataset versions scored.',
  },
  training: {
    name: 'training.v1',
    key: 'plan',
    partitions: 4,
    cleanup: 'delete',
    retentionMs: FOR_EVER,
    description: 'Training runs from request to result.',
  },
  registry: {
    name: 'registry.v1',
    key: 'model',
    partitions: 4,
    cleanup: 'delete',
    retentionMs: FOR_EVER,
    description: 'Versions, gates, waivers, aliases and the history of endpoints.',
  },
  deployments: {
    name: 'deployments.v1',
    key: 'endpoint',
    partitions: 1,
    cleanup: 'compact',
    retentionMs: FOR_EVER,
    description: 'The whole desired state of every endpoint; every gateway reads all of it.',
  },
  predictions: {
    name: 'inference.predictions.v1',
    key: 'label-join key',
    partitions: 4,
    cleanup: 'delete',
    retentionMs: 30 * DAY,
    description: 'The prediction log.',
  },
  inference: {
    name: 'inference.v1',
    key: 'endpoint',
    partitions: 4,
    cleanup: 'delete',
    retentionMs: 30 * DAY,
    description: 'What gateways activated or could not load.',
  },
  monitoring: {
    name: 'monitoring.v1',
    key: 'model',
    partitions: 4,
    cleanup: 'delete',
    retentionMs: FOR_EVER,
    description: 'Ground truth, drift, performance, rollout analyses, retraining requests, alerts.',
  },
  windows: {
    name: 'monitoring.windows.v1',
    key: 'monitor',
    partitions: 1,
    cleanup: 'delete',
    retentionMs: FOR_EVER,
    description: 'Where windows by count end.',
  },
  definitions: {
    name: 'definitions.v1',
    key: 'kind/name',
    partitions: 1,
    cleanup: 'compact',
    retentionMs: FOR_EVER,
    description: 'The newest content of every definition; every service reads all of it.',
  },
} as const satisfies Record<string, TopicDefinition>;

function event<T>(
  type: string,
  topic: TopicDefinition,
  producer: string,
  codec: Codec<T>,
  keyOf: (data: T) => string,
  description: string,
): EventDefinition<T> {
  return { type, topic, producer, codec, keyOf, description };
}

const INGESTION = 'headrace.ingestion.v1';
const FEATURES = 'headrace.features.v1';
const TRAINING = 'headrace.training.v1';
const REGISTRY = 'headrace.registry.v1';
const INFERENCE = 'headrace.inference.v1';
const MONITORING = 'headrace.monitoring.v1';

export const events = {
  DataArrived: event(
    `${INGESTION}.DataArrived`,
    topics.data,
    'ingestion',
    DataArrived,
    (e) => e.recordKey,
    'One accepted record.',
  ),
  WatermarkAdvanced: event(
    `${INGESTION}.WatermarkAdvanced`,
    topics.data,
    'ingestion',
    WatermarkAdvanced,
    (e) => e.stream,
    'In every partition: no record with a known time up to this one will follow.',
  ),
  DataRejected: event(
    `${INGESTION}.DataRejected`,
    topics.quarantine,
    'ingestion',
    DataRejected,
    (e) => Buffer.from(e.originalKey).toString('utf8'),
    'One refused record with every reason.',
  ),
  DatasetVersionCommitted: event(
    `${INGESTION}.DatasetVersionCommitted`,
    topics.ingestion,
    'ingestion',
    DatasetVersionCommitted,
    (e) => e.dataset?.stream ?? '',
    'An immutable, content-addressed dataset version exists.',
  ),
  DataQualityDegraded: event(
    `${INGESTION}.DataQualityDegraded`,
    topics.ingestion,
    'ingestion',
    DataQualityDegraded,
    (e) => e.stream,
    'The share of accepted records fell below its threshold.',
  ),
  DataQualityRestored: event(
    `${INGESTION}.DataQualityRestored`,
    topics.ingestion,
    'ingestion',
    DataQualityRestored,
    (e) => e.stream,
    'The share of accepted records is back above its threshold.',
  ),
  FeaturesMaterialized: event(
    `${FEATURES}.FeaturesMaterialized`,
    topics.features,
    'feature-store',
    FeaturesMaterialized,
    (e) => e.plan,
    'A training set was joined.',
  ),
  FeatureMaterializationFailed: event(
    `${FEATURES}.FeatureMaterializationFailed`,
    topics.features,
    'feature-store',
    FeatureMaterializationFailed,
    (e) => e.plan,
    'A training set could not be joined.',
  ),
  DatasetScored: event(
    `${FEATURES}.DatasetScored`,
    topics.features,
    'feature-store',
    DatasetScored,
    (e) => e.plan,
    'A dataset version was scored by a model version.',
  ),
  ScoringFailed: event(
    `${FEATURES}.ScoringFailed`,
    topics.features,
    'feature-store',
    ScoringFailed,
    (e) => e.plan,
    'A dataset version could not be scored.',
  ),
  TrainingRequested: event(
    `${TRAINING}.TrainingRequested`,
    topics.training,
    'training',
    TrainingRequested,
    (e) => e.plan,
    'A training run begins: exact inputs.',
  ),
  TrainingStarted: event(
    `${TRAINING}.TrainingStarted`,
    topics.training,
    'training',
    TrainingStarted,
    (e) => e.plan,
    'The trainer is being run.',
  ),
  ModelTrained: event(
    `${TRAINING}.ModelTrained`,
    topics.training,
    'training',
    ModelTrained,
    (e) => e.plan,
    'A model came out, with metrics and lineage.',
  ),
  TrainingFailed: event(
    `${TRAINING}.TrainingFailed`,
    topics.training,
    'training',
    TrainingFailed,
    (e) => e.plan,
    'A training run ended without a model.',
  ),
  ModelVersionRegistered: event(
    `${REGISTRY}.ModelVersionRegistered`,
    topics.registry,
    'registry',
    ModelVersionRegistered,
    (e) => e.model,
    'A trained model got its version number.',
  ),
  GateEvaluated: event(
    `${REGISTRY}.GateEvaluated`,
    topics.registry,
    'registry',
    GateEvaluated,
    (e) => e.model,
    'The declared gates were evaluated.',
  ),
  GatesWaived: event(
    `${REGISTRY}.GatesWaived`,
    topics.registry,
    'registry',
    GatesWaived,
    (e) => e.model,
    'A person let a version through failed gates.',
  ),
  ReplayRequested: event(
    `${REGISTRY}.ReplayRequested`,
    topics.registry,
    'registry',
    ReplayRequested,
    (e) => e.model,
    'A gate asks what a version would have answered to past requests.',
  ),
  ModelVersionValidated: event(
    `${REGISTRY}.ModelVersionValidated`,
    topics.registry,
    'registry',
    ModelVersionValidated,
    (e) => e.model,
    'A version may serve.',
  ),
  AliasChanged: event(
    `${REGISTRY}.AliasChanged`,
    topics.registry,
    'registry',
    AliasChanged,
    (e) => e.model,
    'An alias points to another version.',
  ),
  ScoringRequested: event(
    `${REGISTRY}.ScoringRequested`,
    topics.registry,
    'registry',
    ScoringRequested,
    (e) => e.model,
    'A person wants a dataset version scored.',
  ),
  EndpointChanged: event(
    `${REGISTRY}.EndpointChanged`,
    topics.registry,
    'registry',
    EndpointChanged,
    (e) => e.model,
    'History of an endpoint.',
  ),
  DeploymentChanged: event(
    `${REGISTRY}.DeploymentChanged`,
    topics.deployments,
    'registry',
    DeploymentChanged,
    (e) => e.endpoint,
    'The whole desired state of an endpoint.',
  ),
  PredictionServed: event(
    `${INFERENCE}.PredictionServed`,
    topics.predictions,
    'inference-gateway',
    PredictionServed,
    (e) => e.joinKey,
    'One answered request.',
  ),
  DeploymentActivated: event(
    `${INFERENCE}.DeploymentActivated`,
    topics.inference,
    'inference-gateway',
    DeploymentActivated,
    (e) => e.endpoint,
    'A gateway serves a generation of an endpoint.',
  ),
  ModelLoadFailed: event(
    `${INFERENCE}.ModelLoadFailed`,
    topics.inference,
    'inference-gateway',
    ModelLoadFailed,
    (e) => e.endpoint,
    'A gateway could not load a version.',
  ),
  VersionsScored: event(
    `${INFERENCE}.VersionsScored`,
    topics.inference,
    'inference-gateway',
    VersionsScored,
    (e) => e.endpoint,
    'How often the versions of a rollout gave a score at one gateway, each second.',
  ),
  GroundTruthArrived: event(
    `${MONITORING}.GroundTruthArrived`,
    topics.monitoring,
    'monitoring',
    GroundTruthArrived,
    (e) => e.model,
    'The truth about one prediction became known.',
  ),
  DriftDetected: event(
    `${MONITORING}.DriftDetected`,
    topics.monitoring,
    'monitoring',
    DriftDetected,
    (e) => e.model,
    'Inputs or predictions moved away from the reference.',
  ),
  PerformanceDegraded: event(
    `${MONITORING}.PerformanceDegraded`,
    topics.monitoring,
    'monitoring',
    PerformanceDegraded,
    (e) => e.model,
    'Performance on labels crossed its threshold.',
  ),
  RolloutAnalysisCompleted: event(
    `${MONITORING}.RolloutAnalysisCompleted`,
    topics.monitoring,
    'monitoring',
    RolloutAnalysisCompleted,
    (e) => e.model,
    'A verdict about a canary.',
  ),
  ReplayCompleted: event(
    `${MONITORING}.ReplayCompleted`,
    topics.monitoring,
    'monitoring',
    ReplayCompleted,
    (e) => e.model,
    'What a version would have answered, as a gate asked.',
  ),
  RetrainingRequested: event(
    `${MONITORING}.RetrainingRequested`,
    topics.monitoring,
    'monitoring',
    RetrainingRequested,
    (e) => e.model,
    'The Monitor policy asks for a new version.',
  ),
  RetrainingWithheld: event(
    `${MONITORING}.RetrainingWithheld`,
    topics.monitoring,
    'monitoring',
    RetrainingWithheld,
    (e) => e.model,
    'Signals ask for a new version, and the Monitor policy holds the request back.',
  ),
  AlertRaised: event(
    `${MONITORING}.AlertRaised`,
    topics.monitoring,
    'monitoring',
    AlertRaised,
    (e) => e.model,
    'A person should look.',
  ),
  AlertResolved: event(
    `${MONITORING}.AlertResolved`,
    topics.monitoring,
    'monitoring',
    AlertResolved,
    (e) => e.model,
    'An alert is over.',
  ),
  WindowCut: event(
    `${MONITORING}.WindowCut`,
    topics.windows,
    'monitoring',
    WindowCut,
    (e) => e.monitor,
    'A window by count has as many predictions as its Monitor declares.',
  ),
  DefinitionChanged: event(
    'headrace.definitions.v1.DefinitionChanged',
    topics.definitions,
    'the owner of the kind',
    DefinitionChanged,
    (e) => `${e.kind}/${e.name}`,
    'The newest content of one definition.',
  ),
} as const;

/** Every event type by its CloudEvents type. */
export const eventsByType: ReadonlyMap<string, EventDefinition<unknown>> = new Map(
  Object.values(events).map((definition) => [definition.type, definition as unknown as EventDefinition<unknown>]),
);

const STREAM_NAME = /^[a-z][a-z0-9-]{0,62}$/;

/** Name of a topic of one stream. Throws on a name that could not be a stream's. */
export function topicOf(topic: TopicDefinition, stream?: string): string {
  if (!topic.name.includes('{stream}')) return topic.name;
  if (stream === undefined || !STREAM_NAME.test(stream)) {
    throw new RangeError(`stream "${stream ?? ''}": expected ${STREAM_NAME.source}`);
  }
  return topic.name.replace('{stream}', stream);
}

/** Dead letters of one consumer group. */
export function deadLetterTopicOf(topic: string, group: string): string {
  return `${topic}.${group}.dlq`;
}

/** What people ask a consumer group to do with its dead letters: one topic for each group, so its order is theirs. */
export function redriveTopicOf(group: string): string {
  return `${group}.redrive`;
}
