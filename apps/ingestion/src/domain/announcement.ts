import { watermarkOf } from '@headrace/event-time';

/** One partition of a stream's upstream topic, as committed. */
export interface UpstreamPartition {
  readonly partition: number;
  /** Undefined before its first accepted record. */
  readonly lastKnownMicros: number | undefined;
  /** Everything in it was handled, and nothing came for a while. */
  readonly isIdle: boolean;
}

/**
 * The watermark to announce, or undefined when it does not advance. A partition that is not idle goes on at its last
 * known time or later, so the watermark stays below that; the known time of an idle one is lifted above the watermark
 * (see `liftedMicros`) before the announcement.
 */
export function nextWatermark(
  partitions: readonly UpstreamPartition[],
  announcedMicros: number | undefined,
): number | undefined {
  const watermark = watermarkOf(
    partitions.map(({ partition, lastKnownMicros, isIdle }) => ({
      partition,
      maxTimeMicros: lastKnownMicros ?? -Infinity,
      idle: isIdle,
    })),
  );
  return Number.isFinite(watermark) && watermark > (announcedMicros ?? -Infinity) ? watermark : undefined;
}

/** Least known time of whatever a partition accepts after this watermark was announced. */
export function liftedMicros(watermarkMicros: number): number {
  return watermarkMicros + 1;
}
