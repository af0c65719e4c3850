import { events, topicOf, topics } from '@headrace/contracts';
import type { WatermarkAdvanced } from '@headrace/contracts/proto/ingestion/v1/ingestion_events';
import type { LogReader } from '@headrace/messaging';
import type { Dataset } from '../history/dataset';

const FIRST_STEP = 250;

/**
 * The time up to which a dataset version holds everything that was known: the lowest, over its partitions, of the last
 * watermark marker below the version's end. −Infinity when a partition has none.
 */
export async function completeUntil(log: LogReader, dataset: Dataset): Promise<number> {
  const topic = topicOf(topics.data, dataset.ref.stream);
  const found = new Map<number, number>();
  // Markers are frequent: looking back in growing steps from the end finds them at once, as a rule.
  for (let step = FIRST_STEP, read = 0; ; read = step, step *= 8) {
    const ranges = new Map(
      [...dataset.endOffsets]
        .filter(([partition, end]) => !found.has(partition) && end - read > 0)
        .map(([partition, end]) => [partition, { from: Math.max(0, end - step), to: end - read }] as const),
    );
    if (ranges.size === 0) break;
    await log.readRange(topic, ranges, (batch) => {
      for (const event of batch) {
        if (event.type !== events.WatermarkAdvanced.type) continue;
        const { watermarkMicros } = event.data as WatermarkAdvanced;
        found.set(event.partition, Math.max(found.get(event.partition) ?? -Infinity, watermarkMicros));
      }
    });
  }
  return found.size < topics.data.partitions ? -Infinity : Math.min(...found.values());
}
