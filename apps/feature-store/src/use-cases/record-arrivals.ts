import type { DataArrived } from '@headrace/contracts/proto/ingestion/v1/ingestion_events';
import type { ReceivedEvent } from '@headrace/messaging';
import type { Queries } from '@headrace/service-kit';
import { Injectable } from '@nestjs/common';
import { insertRecords, type FeatureRecord } from '../database/feature-records.repository';
import { versionsOfStream } from '../database/view-versions.repository';
import { recordsTotal } from '../feature-store-metrics';
import { KnownViews, type KeptView } from '../known-views';

/** Keeps what each registered content of a view needs of accepted records. */
@Injectable()
export class RecordArrivals {
  constructor(private readonly views: KnownViews) {}

  async run(arrived: readonly ReceivedEvent<DataArrived>[], queries: Queries): Promise<void> {
    const stream = arrived[0]?.data.stream ?? '';
    const kept = await this.views.ofIds(queries, await versionsOfStream(queries, stream));
    await insertRecords(
      queries,
      kept.flatMap((version) => arrived.flatMap((event) => recordOf(version, event) ?? [])),
    );
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
