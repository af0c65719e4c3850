// Which offsets of which partitions a replay reads.
import type { EventLog, PartitionOffsets } from '../log/port';
import type { ReplayRequest } from './replay-types';

export interface PlannedTopic {
  readonly topic: string;
  /** Undefined where the log has no ids. */
  readonly topicId: string | undefined;
  readonly partitions: readonly { readonly partition: number; readonly from: number; readonly to: number }[];
}

/** Throws one RangeError that names every fault of the request. Topics that do not exist hold nothing. */
export async function planReplay(
  log: EventLog,
  topics: readonly string[],
  request: ReplayRequest,
): Promise<PlannedTopic[]> {
  const { fromOffsets = [], fromTimeMs, toTimeMs } = request;
  const faults: string[] = [];
  if (fromTimeMs !== undefined && toTimeMs !== undefined && fromTimeMs >= toTimeMs) {
    faults.push('the time to begin at must be before the time to end at');
  }
  for (const { topic } of fromOffsets) {
    if (!topics.includes(topic)) {
      faults.push(`group ${request.group} does not read ${topic}; it reads ${topics.join(', ')}`);
    }
  }
  const existing = await log.topicNames();
  const ids = await log.topicIds(topics);
  const planned: PlannedTopic[] = [];
  for (const topic of topics.filter((name) => existing.has(name))) {
    const bounds = await log.offsets(topic);
    const begins = fromTimeMs === undefined ? undefined : await log.offsetsAt(topic, fromTimeMs);
    const ends = toTimeMs === undefined ? undefined : await log.offsetsAt(topic, toTimeMs);
    const given = fromOffsets.filter((one) => one.topic === topic);
    for (const { partition, offset } of given) faults.push(...faultsOf(topic, partition, offset, bounds));
    const partitions = bounds.map(({ partition, low, high }) => {
      const from = given.find((one) => one.partition === partition)?.offset ?? begins?.get(partition) ?? low;
      return { partition, from: Math.max(low, from), to: Math.min(high, ends?.get(partition) ?? high) };
    });
    planned.push({
      topic,
      topicId: ids.get(topic),
      partitions: partitions.filter(({ from, to }) => from <= to).sort((a, b) => a.partition - b.partition),
    });
  }
  if (faults.length > 0) throw new RangeError(faults.join('; '));
  return planned;
}

function faultsOf(topic: string, partition: number, offset: number, bounds: readonly PartitionOffsets[]): string[] {
  const bound = bounds.find((one) => one.partition === partition);
  if (!bound) return [`topic ${topic} has partitions 0 to ${bounds.length - 1}, not ${partition}`];
  if (offset >= bound.low && offset <= bound.high) return [];
  return [`topic ${topic}, partition ${partition} holds offsets ${bound.low} to ${bound.high - 1}, not ${offset}`];
}
