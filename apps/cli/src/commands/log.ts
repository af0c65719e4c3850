// headrace events … and headrace topics: what stands on the log, for people.
import { setTimeout as sleep } from 'node:timers/promises';
import { status } from '@grpc/grpc-js';
import type { TraceEventResponse } from '@headrace/contracts/proto/registry/v1/registry_service';
import { formatDuration } from '@headrace/event-time';
import {
  openClusterView,
  openLogReader,
  silentLogger,
  type ClusterView,
  type LogEvent,
  type LogReader,
  type MessagingLogger,
} from '@headrace/messaging';
import { isServiceError } from '@headrace/grpc';
import type { Clients, Connection } from '../connection';
import { printRows } from '../output';
import { findEvent, matches, parseSince, printed, type EventFilter, type Place } from './event-search';
import { traceOf, treeOf } from './trace-tree';

const FOLLOW_MS = 500;
/** Without --since: how far back each partition is looked through for events that pass the filter. */
const LOOK_BACK = 1_000;
const SHOWN_CHARACTERS = 160;

export interface TailOptions extends EventFilter {
  readonly since?: string;
  readonly last: number;
  readonly follow: boolean;
  readonly json: boolean;
}

/** Gives work the log and the cluster, closed when it is done. */
export async function withLog<R>(
  connection: Connection,
  work: (reader: LogReader, cluster: ClusterView) => Promise<R>,
  logger?: MessagingLogger,
): Promise<R> {
  const options = { brokers: connection.kafka(), clientId: 'headrace-cli' };
  const reader = openLogReader({ ...options, ...(logger === undefined ? {} : { logger }) });
  const cluster = openClusterView(options);
  try {
    return await work(reader, cluster);
  } finally {
    await Promise.all([reader.close(), cluster.close()]);
  }
}

/** Prints events of a topic; with `follow` until the signal. In order within each partition. */
export async function tailEvents(
  connection: Connection,
  topic: string,
  options: TailOptions,
  signal: AbortSignal,
): Promise<void> {
  const sinceMicros = options.since === undefined ? undefined : parseSince(options.since);
  const unreadable = new Unreadable();
  const read = async (reader: LogReader, cluster: ClusterView): Promise<void> => {
    const ends = await reader.endOffsets(topic);
    if (ends.size === 0) throw new Error(`topic "${topic}" does not exist: see "headrace topics"`);
    const next = new Map(ends);
    if (sinceMicros === undefined) {
      const events: LogEvent[] = [];
      const ranges = new Map(
        [...ends].map(([partition, to]) => [partition, { from: Math.max(0, to - LOOK_BACK), to }]),
      );
      await reader.readRange(topic, ranges, (batch) => {
        for (const event of batch) if (matches(event, options)) events.push(event);
      });
      events.sort((a, b) => a.timeMicros - b.timeMicros || a.offset - b.offset);
      for (const event of options.last > 0 ? events.slice(-options.last) : []) print(event, options.json);
    } else {
      for (const [partition, from] of await cluster.offsetsAt(topic, Math.floor(sinceMicros / 1_000))) {
        next.set(partition, from);
      }
      await printFrom(reader, topic, next, ends, options);
    }
    while (options.follow && !signal.aborted) {
      await sleep(FOLLOW_MS, undefined, { signal }).catch(() => undefined);
      if (signal.aborted) break;
      await printFrom(reader, topic, next, await reader.endOffsets(topic), options);
    }
  };
  await withLog(connection, read, unreadable.logger);
  unreadable.tell();
}

/** Records that are no events (of an upstream system, of somebody's mistake): nobody shall take them for silence. */
class Unreadable {
  private count = 0;
  private last = '';

  readonly logger: MessagingLogger = {
    ...silentLogger,
    warn: (fields) => {
      this.count += 1;
      const { partition, offset, fault } = { partition: '', offset: '', fault: '', ...fields };
      this.last = `${partition}/${offset}: ${fault}`;
    },
  };

  tell(): void {
    if (this.count === 0) return;
    process.stderr.write(`${this.count} records are no events and are not shown, such as ${this.last}\n`);
  }
}

/** What stands between `next` and `ends`; moves `next` there. */
async function printFrom(
  reader: LogReader,
  topic: string,
  next: Map<number, number>,
  ends: ReadonlyMap<number, number>,
  options: TailOptions,
): Promise<void> {
  const ranges = new Map([...ends].map(([partition, to]) => [partition, { from: next.get(partition) ?? 0, to }]));
  await reader.readRange(topic, ranges, (batch) => {
    for (const event of batch) if (matches(event, options)) print(event, options.json);
  });
  for (const [partition, to] of ends) next.set(partition, to);
}

function print(event: LogEvent, json: boolean): void {
  const { data, ...attributes } = printed(event);
  if (json) {
    process.stdout.write(`${JSON.stringify({ ...attributes, data })}\n`);
    return;
  }
  const { time, type, key, partition, offset, id } = attributes;
  const text = JSON.stringify(data).slice(0, SHOWN_CHARACTERS);
  process.stdout.write(`${time}  ${type.split('.').at(-1)}  ${key}  ${partition}/${offset}  ${id}\n    ${text}\n`);
}

/** Prints one event, decoded, as JSON. */
export async function getEvent(
  connection: Connection,
  clients: Clients,
  id: string,
  options: { readonly window: number },
): Promise<void> {
  const place = await placeOf(clients, id);
  const event = await withLog(connection, (reader, cluster) => findEvent(reader, cluster, id, place, options.window));
  if (!event) {
    throw new Error(unknownEvent(id, options.window));
  }
  process.stdout.write(`${JSON.stringify(printed(event), null, 2)}\n`);
}

/** Where the registry's index says it is. Bulk events are not in it, and the log is there without the registry. */
async function placeOf(clients: Clients, id: string): Promise<Place | undefined> {
  try {
    const { chain } = await clients.call(clients.registry.traceEvent.bind(clients.registry), { eventId: id });
    return chain.at(-1);
  } catch {
    return undefined;
  }
}

/**
 * Prints what an event was caused by and what it caused. Bulk events (records, predictions) are not in the registry's index
 * unless others name them: such a one is looked for on the log, and followed from its cause.
 */
export async function traceEvent(
  connection: Connection,
  clients: Clients,
  id: string,
  options: { readonly json: boolean; readonly window: number },
): Promise<void> {
  const { json, window } = options;
  const answer = (await indexed(clients, id)) ?? (await tracedOnTheLog(connection, clients, id, window));
  if (!answer) throw new Error(unknownEvent(id, window));
  printTrace(answer, json);
}

export function printTrace(answer: TraceEventResponse, json: boolean): void {
  const trace = traceOf(answer);
  process.stdout.write(json ? `${JSON.stringify(trace, null, 2)}\n` : `${treeOf(trace).join('\n')}\n`);
}

async function tracedOnTheLog(
  connection: Connection,
  clients: Clients,
  id: string,
  window: number,
): Promise<TraceEventResponse | undefined> {
  const event = await withLog(connection, (reader, cluster) => findEvent(reader, cluster, id, undefined, window));
  return event && traceFrom(clients, event);
}

/** Of an event that the registry has no index of: what its cause followed from. */
export async function traceFrom(clients: Clients, event: LogEvent): Promise<TraceEventResponse> {
  const causes = event.causationId === '' ? undefined : await indexed(clients, event.causationId);
  return { chain: [...(causes?.chain ?? []), { ...event, id: event.eventId }], effects: [], effectsCut: false };
}

/** Undefined when the registry does not know the event. */
export async function indexed(clients: Clients, eventId: string): Promise<TraceEventResponse | undefined> {
  try {
    return await clients.call(clients.registry.traceEvent.bind(clients.registry), { eventId });
  } catch (error) {
    if (isServiceError(error) && error.code === status.NOT_FOUND) return undefined;
    throw error;
  }
}

export function unknownEvent(id: string, window: number): string {
  return (
    `event "${id}" is neither in the registry's index nor among the newest ${window} records of a partition ` +
    '(--window looks further back)'
  );
}

/** Prints every topic with its settings, the lag of its consumers and how it differs from the catalogue. */
export async function printTopics(connection: Connection, json: boolean): Promise<void> {
  const rows = await withLog(connection, async (_, cluster) => {
    const topics = await cluster.topics();
    const lags = await cluster.lags(topics);
    return topics.map(({ name, partitions, records, cleanup, retentionMs, differences }) => ({
      topic: name,
      partitions,
      records,
      kept: cleanup === 'compact' ? 'compacted' : retentionMs < 0 ? 'for ever' : formatDuration(retentionMs * 1_000),
      lag: lags
        .filter(({ topic }) => topic === name)
        .map(({ group, lag }) => `${group}:${lag}`)
        .join(' '),
      differences: differences
        .map(({ setting, expected, got }) => `${setting} is ${got}, expected ${expected}`)
        .join('; '),
    }));
  });
  printRows(rows, json);
}
