import { events, type EventDefinition } from '@headrace/contracts';
import type { WatermarkAdvanced } from '@headrace/contracts/proto/ingestion/v1/ingestion_events';
import type { BulkMessage } from '@headrace/messaging';
import type { Announcement } from '../database/watermarks.repository';

/** One marker for each partition of data.<stream>.v1. Known times before 1970 are below 0, hence the sequence of its own. */
export function watermarkMessages(
  { stream, watermarkMicros, sequence }: Announcement,
  partitions: readonly number[],
): BulkMessage<unknown>[] {
  const data: WatermarkAdvanced = { stream, watermarkMicros };
  return partitions.map((partition) => ({
    definition: events.WatermarkAdvanced as unknown as EventDefinition<unknown>,
    data,
    id: `watermark/${stream}/${partition}/${watermarkMicros}`,
    producer: { shard: `watermark/${stream}`, sequence },
    cause: null,
    stream,
    key: stream,
    partition,
  }));
}
