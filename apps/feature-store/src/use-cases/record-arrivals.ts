import type { DataArrived } from '@headrace/contracts/proto/ingestion/v1/ingestion_events';
import type { Outcome, ReceivedEvent } from '@headrace/messaging';
import type { Queries } from '@headrace/service-kit';
import { Injectable } from '@nestjs/common';
import { insertRecords, type FeatureRecord } from '../database/feature-records.repository';
import { versionsOfStream } from '../database/view-versions.repository';
import type { CompiledView } from '../domain/feature-view';
import { recordsTotal } from '../feature-store-metrics';
import { KnownViews } from '../known-views';

/** Keeps what each view needs of accepted records. */
@Injectable()
export class RecordArrivals {
  constructor(private readonly views: KnownViews) {}

  async run(arrived: readonly ReceivedEvent<DataArrived>[], queries: Queries): Promise<Outcome[] | void> {
    const stream = arrived[0]?.data.stream ?? '';
    const records: FeatureRecord[] = [];
    for (const { id, name, version } of await versionsOfStream(queries, stream)) {
      const view = this.views.ofVersion(name, version);
      if (view) records.push(...arrived.flatMap((event) => recordOf(id, view, event) ?? []));
      else if (!this.isReplaced(name, version)) {
        const message = `feature view ${name} ${version} is not known here yet`;
        return arrived.map(() => ({ kind: 'transient', message }));
      }
    }
    await insertRecords(queries, records);
    recordsTotal.inc({ stream }, arrived.length);
  }

  /** This instance knows another content of the view and the definitions are read: the registered one is older. */
  private isReplaced(name: string, version: string): boolean {
    const newest = this.views.get(name);
    return newest !== undefined && newest.version !== version;
  }
}

export function recordOf(
  viewId: number,
  view: CompiledView,
  event: Pick<ReceivedEvent<DataArrived>, 'data' | 'partition' | 'offset'>,
): FeatureRecord | undefined {
  const projection = view.project(event.data.fields);
  return (
    projection && {
      viewId,
      entity: projection.entity,
      eventTime: event.data.eventTimeMicros,
      knownTime: event.data.knownTimeMicros,
      partition: event.partition,
      offset: event.offset,
      inputs: projection.inputs,
    }
  );
}
