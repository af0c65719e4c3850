// How far event time has come: what must be known before a window or bucket may be closed.
import { watermarkOf, type PartitionProgress } from '@headrace/event-time';

/** A partition of the prediction log for one endpoint. */
export interface PredictionPartition {
  readonly partition: number;
  /** Largest as-of of the endpoint in it; −Infinity without any. */
  readonly maxAsOfMicros: number;
  /** Everything written to it has been handled. */
  readonly atEnd: boolean;
  /** Wall clock since its last prediction of the endpoint. */
  readonly quietForMs: number;
}

export interface Quiet {
  /** A partition that is handled to its end and silent for this long does not hold the others back. */
  readonly partitionMs: number;
  /** When all of them are silent for this long, requests have ceased: labels alone carry time on. */
  readonly endpointMs: number;
}

/** Event time up to which the predictions of an endpoint are known. */
export function predictionProgress(partitions: readonly PredictionPartition[], quiet: Quiet): number {
  if (partitions.every((partition) => partition.atEnd && partition.quietForMs >= quiet.endpointMs)) return Infinity;
  return watermarkOf(
    partitions.map(({ partition, maxAsOfMicros, atEnd, quietForMs }): PartitionProgress => {
      const idle = atEnd && quietForMs >= quiet.partitionMs;
      return { partition, maxTimeMicros: maxAsOfMicros, idle };
    }),
  );
}

export interface Progress {
  readonly predictionMicros: number;
  /** Watermark (known time) of the label stream. */
  readonly labelWatermarkMicros: number;
  /** Largest event time among the labels. */
  readonly maxLabelTimeMicros: number;
}

/** Windows of predictions that end at or before this may be closed. */
export function driftHorizon(progress: Progress): number {
  return Math.min(progress.predictionMicros, progress.labelWatermarkMicros);
}

/**
 * Windows and buckets of labels that end at or before this may be closed. A label stream whose known time is the clock has
 * a watermark far ahead of its event times: a label beyond the end must have been seen too.
 */
export function labelHorizon(progress: Progress): number {
  return Math.min(driftHorizon(progress), progress.maxLabelTimeMicros);
}
