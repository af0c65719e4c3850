import type { DataArrived } from '@headrace/contracts/proto/ingestion/v1/ingestion_events';
import type { ReceivedEvent } from '@headrace/messaging';
import type { Queries } from '@headrace/service-kit';
import { Injectable } from '@nestjs/common';
import { insertRecords, type FeatureRecord } from '../database/feature-records.repository';
import { noteRecords } from '../database/progress.repository';
import { versionsOfStream } from '../database/view-versions.repository';
import { recordsTotal } from '../feature-store-metrics';
import { KnownViews, type KeptView } from '../known-views';

/** Keeps what each registered content of a view needs of accepted records. */
@Injectable()
export class RecordArrivals {
  constructor(private readonly views: KnownViews) {}

  async run(arrived: readonly ReceivedEvent<DataArrived>[], queries: Queries): Promise<void> {
    const [first] = arrived;
    if (!first) return;
    const { stream } = first.data;
    const kept = await this.views.ofIds(queries, await versionsOfStream(queries, stream));
    await insertRecords(
      queries,
      kept.flatMap((version) => arrived.flatMap((event) => recordOf(version, event) ?? [])),
    );
    const earliest = arrived.reduce((least, { data }) => Math.min(least, data.knownTimeMicros), Infinity);
    const offsets = arrived.map(({ offset }) => offset);
    await noteRecords(queries, {
      stream,
      partition: first.partition,
      firstOffset: Math.min(...offsets),
      lastOffset: Math.max(...offsets),
      earliestKnownMicros: earliest,
    });
    recordsTotal.inc({ stream }, arrived.length);
  }
}

export function recordOf(
  { id, view }: KeptView,
  event: Pick<ReceivedEvent<DataArrived>, 'data' | 'partition' | 'offset'>,
): FeatureRecord | undefined {
  const projection = view.project(event.data.fields);
  return (
    projection && {
      viewId: id,
      entity: projection.entity,
      eventTime: event.data.eventTimeMicros,
      knownTime: event.data.knownTimeMicros,
      partition: event.partition,
      offset: event.offset,
      inputs: projection.inputs,
    }
  );
}
