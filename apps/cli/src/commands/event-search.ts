// Reading the log for people: a stretch of a topic, or one event by its id.
import { eventsByType } from '@headrace/contracts';
import { formatTime, nowMicros, parseDuration, parseTime } from '@headrace/event-time';
import type { ClusterView, LogEvent, LogReader } from '@headrace/messaging';

export interface EventFilter {
  /** Full name, or its last part: DataArrived. */
  readonly type?: string;
  readonly key?: string;
}

export function matches(event: LogEvent, { type, key }: EventFilter): boolean {
  if (type !== undefined && event.type !== type && event.type.split('.').at(-1) !== type) return false;
  return key === undefined || event.key === key;
}

/** "10m" (so long ago) or an RFC 3339 time → microseconds. */
export function parseSince(text: string): number {
  const time = parseTime(text);
  if (time !== undefined) return time;
  try {
    return nowMicros() - parseDuration(text);
  } catch {
    throw new Error(`--since ${text}: expected a duration such as 10m, or a time such as 2026-01-31T12:00:00Z`);
  }
}

export interface PrintedEvent {
  readonly id: string;
  readonly type: string;
  readonly source: string;
  readonly subject: string;
  readonly time: string;
  readonly correlationId: string;
  readonly causationId: string;
  readonly traceparent: string | null;
  readonly topic: string;
  readonly partition: number;
  readonly offset: number;
  readonly key: string;
  readonly data: unknown;
}

/** The event with its data in protobuf's JSON form, as the AsyncAPI document describes it. */
export function printed(event: LogEvent): PrintedEvent {
  const { eventId, type, source, subject, correlationId, causationId, topic, partition, offset, key } = event;
  return {
    id: eventId,
    type,
    source,
    subject,
    time: formatTime(event.timeMicros),
    correlationId,
    causationId,
    traceparent: event.traceparent ?? null,
    topic,
    partition,
    offset,
    key,
    data: eventsByType.get(type)?.codec.toJSON(event.data),
  };
}

/** Breaks off a reading. */
class Found extends Error {
  constructor(readonly event: LogEvent) {
    super('found');
  }
}

export interface Place {
  readonly topic: string;
  /** CloudEvents time: the record was written then or later. */
  readonly timeMicros: number;
}

/** Clocks of two machines may differ by so much. */
const CLOCKS_MS = 60_000;

/** The event of this id: at the place when it is known, else among the newest `window` records of each partition. */
export async function findEvent(
  reader: LogReader,
  cluster: ClusterView,
  id: string,
  place: Place | undefined,
  window: number,
): Promise<LogEvent | undefined> {
  if (place) {
    const from = await cluster.offsetsAt(place.topic, Math.max(0, Math.floor(place.timeMicros / 1_000) - CLOCKS_MS));
    const event = await findIn(reader, place.topic, id, (partition) => from.get(partition) ?? 0);
    if (event) return event;
  }
  for (const { name } of await cluster.topics()) {
    const event = await findIn(reader, name, id, (_, end) => Math.max(0, end - window));
    if (event) return event;
  }
  return undefined;
}

async function findIn(
  reader: LogReader,
  topic: string,
  id: string,
  fromOf: (partition: number, end: number) => number,
): Promise<LogEvent | undefined> {
  const ends = await reader.endOffsets(topic);
  const ranges = new Map([...ends].map(([partition, to]) => [partition, { from: fromOf(partition, to), to }]));
  try {
    await reader.readRange(topic, ranges, (batch) => {
      const event = batch.find(({ eventId }) => eventId === id);
      if (event) throw new Found(event);
    });
  } catch (error) {
    if (error instanceof Found) return error.event;
    throw error;
  }
  return undefined;
}
