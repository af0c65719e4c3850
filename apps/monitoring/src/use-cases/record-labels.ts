import type { DataArrived } from '@headrace/contracts/proto/ingestion/v1/ingestion_events';
import type { ReceivedEvent, Transaction } from '@headrace/messaging';
import { Injectable } from '@nestjs/common';
import { saveLabels, type LabelRow } from '../database/labels.repository';
import { joinLabels, lockSources } from '../database/outcomes.repository';
import { labelFieldsOf } from '../domain/business-metrics';
import { labelOf } from '../domain/label-source';
import { labelsTotal } from '../monitoring-metrics';
import { WatchedMonitors, type CompiledSource } from '../watched-monitors';
import { noteJoined } from './note-joined';

/** Keeps the labels in the records of label streams, and joins those whose predictions came before them. */
@Injectable()
export class RecordLabels {
  constructor(private readonly monitors: WatchedMonitors) {}

  async run(arrived: readonly ReceivedEvent<DataArrived>[], transaction: Transaction): Promise<void> {
    const labels = arrived.flatMap((event) =>
      this.monitors.sourcesOf(event.data.stream).flatMap((source) => rowOf(source, event) ?? []),
    );
    if (labels.length === 0) return;
    const news = await saveLabels(transaction, labels);
    if (news.length === 0) return;
    const sources = new Set(news.map((label) => label.source));
    await lockSources(transaction, [...sources]);
    const joined = await joinLabels(transaction, news, this.monitors.judgedBy(sources));
    await noteJoined(transaction, joined, this.monitors.all());
  }
}

function rowOf(source: CompiledSource, event: ReceivedEvent<DataArrived>): LabelRow | undefined {
  const { data } = event;
  const label = labelOf(source.evaluate, data.fields, source.task);
  labelsTotal.inc({ stream: data.stream, outcome: label.kind });
  if (label.kind !== 'label') return undefined;
  return {
    source: source.id,
    key: data.recordKey,
    value: label.value,
    eventTimeMicros: data.eventTimeMicros,
    knownTimeMicros: data.knownTimeMicros,
    publishedMicros: event.timeMicros,
    eventId: event.eventId,
    correlationId: event.correlationId,
    traceparent: event.traceparent,
    fields: labelFieldsOf(data.fields, source.fields),
  };
}
