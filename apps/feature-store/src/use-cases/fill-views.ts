import { events, topicOf, topics } from '@headrace/contracts';
import type { DataArrived } from '@headrace/contracts/proto/ingestion/v1/ingestion_events';
import { LOG_READER, UNIT_OF_WORK, type LogReader, type ReceivedEvent, type UnitOfWork } from '@headrace/messaging';
import { LOGGER, type Logger } from '@headrace/service-kit';
import { Inject, Injectable } from '@nestjs/common';
import { DataSource } from 'typeorm';
import { deleteRecords, insertRecords } from '../database/feature-records.repository';
import {
  deleteVersion,
  markFilled,
  markReplaced,
  replacedVersions,
  versionsToFill,
} from '../database/view-versions.repository';
import { KnownViews } from '../known-views';
import { recordOf } from './record-arrivals';

const DELETED_AT_ONCE = 20_000;

/**
 * A view that is new or changed gets its past from the log: the same records that it would have taken then. The content
 * before serves until that is done; afterwards its records are deleted.
 */
@Injectable()
export class FillViews {
  constructor(
    @Inject(LOG_READER) private readonly log: LogReader,
    @Inject(UNIT_OF_WORK) private readonly work: UnitOfWork,
    @Inject(LOGGER) private readonly logger: Logger,
    private readonly source: DataSource,
    private readonly views: KnownViews,
  ) {}

  async run(): Promise<void> {
    for (const { id, name, version, stream, backfillTo } of await versionsToFill(this.source)) {
      const [kept] = await this.views.ofIds(this.source, [id]);
      if (!kept) continue;
      const ranges = new Map(
        Object.entries(backfillTo).map(([partition, to]) => [Number(partition), { from: 0, to }] as const),
      );
      let records = 0;
      await this.log.readRange(topicOf(topics.data, stream), ranges, async (batch) => {
        const arrived = batch.filter(
          (event): event is ReceivedEvent<DataArrived> => event.type === events.DataArrived.type,
        );
        const rows = arrived.flatMap((event) => recordOf(kept, event) ?? []);
        records += rows.length;
        await insertRecords(this.source, rows);
      });
      // So many new rows at once are unknown to the planner until it is told.
      await this.source.query('ANALYZE feature_records');
      await markFilled(this.source, id);
      this.logger.info({ view: name, version, records }, 'feature view filled from the log');
    }
    await this.work.run((transaction) => markReplaced(transaction));
    for (const id of await replacedVersions(this.source)) {
      while (await deleteRecords(this.source, id, undefined, DELETED_AT_ONCE));
      await deleteVersion(this.source, id);
    }
  }
}
