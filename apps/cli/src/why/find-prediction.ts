// An id → the prediction on the log, or the event that it is.
import { status } from '@grpc/grpc-js';
import { events } from '@headrace/contracts';
import type { EventRef } from '@headrace/contracts/proto/common/v1/common';
import type { PredictionServed } from '@headrace/contracts/proto/inference/v1/inference_events';
import type { GetPredictionResponse } from '@headrace/contracts/proto/monitoring/v1/monitoring_service';
import type { TraceEventResponse } from '@headrace/contracts/proto/registry/v1/registry_service';
import { formatTime } from '@headrace/event-time';
import { isServiceError, isUnavailable } from '@headrace/grpc';
import type { ClusterView, LogEvent, LogReader } from '@headrace/messaging';
import { findEvent } from '../commands/event-search';
import { indexed, traceFrom, unknownEvent, withLog } from '../commands/log';
import type { Clients, Connection } from '../connection';

export type Found =
  | { readonly kind: 'prediction'; readonly served: PredictionServed; readonly known: Known }
  | { readonly kind: 'event'; readonly trace: TraceEventResponse };

/** What monitoring says about a prediction; undefined when it does not know it. */
export interface Known {
  readonly answer: GetPredictionResponse | undefined;
  /** Why nobody can tell whether a label came; empty when it can be told. */
  readonly fault: string;
}

/** Longer ones are never predictions'. */
const LONGEST_PREDICTION_ID = 128;

/** Throws when the id is neither a prediction's nor an event's, or when the log no longer has the prediction. */
export async function findPrediction(
  connection: Connection,
  clients: Clients,
  id: string,
  window: number,
): Promise<Found> {
  const known = await askMonitoring(clients, id);
  const ref = known.answer?.served;
  return withLog(connection, async (reader, cluster) => {
    if (ref) {
      const event = await readAt(reader, cluster, ref);
      if (!event) throw new Error(goneFromTheLog(ref));
      return prediction(event, known);
    }
    const trace = await indexed(clients, id);
    const place = trace?.chain.at(-1);
    if (trace && place?.type !== events.PredictionServed.type) return { kind: 'event', trace };
    const event = await findEvent(reader, cluster, id, place, window);
    if (!event) throw new Error(unknownEvent(id, window));
    if (event.type === events.PredictionServed.type) return prediction(event, known);
    return { kind: 'event', trace: await traceFrom(clients, event) };
  });
}

function prediction(event: LogEvent, known: Known): Found {
  return { kind: 'prediction', served: event.data as PredictionServed, known };
}

async function askMonitoring(clients: Clients, predictionId: string): Promise<Known> {
  if (predictionId.length > LONGEST_PREDICTION_ID) return { answer: undefined, fault: '' };
  try {
    const { monitoring } = clients;
    const answer = await clients.call(monitoring.getPrediction.bind(monitoring), { predictionId });
    return { answer, fault: '' };
  } catch (error) {
    if (isServiceError(error) && error.code === status.NOT_FOUND) return { answer: undefined, fault: '' };
    if (isUnavailable(error)) return { answer: undefined, fault: 'monitoring does not answer' };
    throw error;
  }
}

/** The record at a place; undefined when the topic's retention took it. */
async function readAt(reader: LogReader, cluster: ClusterView, ref: EventRef): Promise<LogEvent | undefined> {
  const { topic, partition, offset } = ref;
  const first = (await cluster.offsetsAt(topic, 0)).get(partition) ?? 0;
  const end = (await reader.endOffsets(topic)).get(partition) ?? 0;
  if (offset < first || offset >= end) return undefined;
  let found: LogEvent | undefined;
  await reader.readRange(topic, new Map([[partition, { from: offset, to: offset + 1 }]]), (batch) => {
    found = batch.find(({ eventId }) => eventId === ref.id);
  });
  return found;
}

function goneFromTheLog({ id, topic, timeMicros }: EventRef): string {
  return (
    `prediction "${id}" was answered at ${formatTime(timeMicros)} and is older than what is kept: ${topic} no longer has ` +
    'it ("headrace topics" shows how long it keeps)'
  );
}
