// Predictions that lie together in the tables: those of one partition, endpoint, layout and set of versions, column by column.
import type { ReceivedEvent } from '@headrace/messaging';
import { FLOAT8_BYTES, type FeatureLayout, type ServedPrediction } from '../domain/served-prediction';
import { float8Bytes } from './float8s';

export type ServedEvent = ReceivedEvent<ServedPrediction>;

export interface PredictionBatch {
  readonly endpoint: string;
  readonly model: string;
  readonly rolloutId: string;
  readonly fallback: boolean;
  readonly layout: FeatureLayout;
  /** That scored each of them, rising; none of fallback answers. */
  readonly versions: readonly number[];
  readonly partition: number;
  readonly events: readonly ServedEvent[];
}

interface GrowingBatch extends PredictionBatch {
  readonly events: ServedEvent[];
}

/** In the order of the events. */
export function batchesOf(served: readonly ServedEvent[]): PredictionBatch[] {
  const batches = new Map<string, GrowingBatch>();
  let last: GrowingBatch | undefined;
  for (const event of served) {
    if (!last || !isLike(last, event)) {
      const made = emptyBatch(event);
      const { endpoint, model, rolloutId, fallback, layout, versions, partition } = made;
      const kind = JSON.stringify([endpoint, model, rolloutId, fallback, layout.id, versions, partition]);
      last = batches.get(kind) ?? made;
      batches.set(kind, last);
    }
    last.events.push(event);
  }
  return [...batches.values()];
}

/** Nearly always: a request of the same endpoint, to which nobody but the champion gave a score. */
function isLike(batch: PredictionBatch, { data, partition }: ServedEvent): boolean {
  return (
    !data.fallback &&
    data.shadowScores.length === 0 &&
    batch.versions.length === 1 &&
    batch.versions[0] === data.version &&
    batch.layout.id === data.layout.id &&
    batch.endpoint === data.endpoint &&
    batch.model === data.model &&
    batch.rolloutId === data.rolloutId &&
    batch.partition === partition
  );
}

function emptyBatch({ data, partition }: ServedEvent): GrowingBatch {
  const { endpoint, model, rolloutId, fallback, layout, version, shadowScores } = data;
  const versions = fallback ? [] : [...new Set([version, ...shadowScores.map((score) => score.version)])];
  return {
    endpoint,
    model,
    rolloutId,
    fallback,
    layout,
    versions: versions.sort((a, b) => a - b),
    partition,
    events: [],
  };
}

/** Of the answer, or beside it; the batch's versions are all there. */
function scoreOf({ version, output, shadowScores }: ServedPrediction, wanted: number): number {
  if (version === wanted) return output;
  return shadowScores.find((score) => score.version === wanted)?.output ?? Number.NaN;
}

/** As-of times, request by request. */
export function asOfBytes({ events }: PredictionBatch): Buffer {
  return float8Bytes(Float64Array.from(events, ({ data }) => data.asOfMicros));
}

/** A score of each version, request by request. */
export function scoreBytes({ events, versions }: PredictionBatch): Buffer {
  const scores = new Float64Array(events.length * versions.length);
  for (const [row, { data }] of events.entries()) {
    for (const [column, version] of versions.entries()) scores[row * versions.length + column] = scoreOf(data, version);
  }
  return float8Bytes(scores);
}

/** Features, request by request. */
export function featureBytes({ events, layout }: PredictionBatch): Buffer {
  const row = layout.names.length * FLOAT8_BYTES;
  const bytes = Buffer.allocUnsafe(events.length * row);
  for (const [index, { data }] of events.entries()) data.features.copy(bytes, index * row);
  // On the log they are little-endian.
  return bytes.swap64();
}
