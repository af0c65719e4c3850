import { events } from '@headrace/contracts';
import type { DataArrived, WatermarkAdvanced } from '@headrace/contracts/proto/ingestion/v1/ingestion_events';
import { OnEventBatch, type Outcome, type ReceivedEvent, type Transaction } from '@headrace/messaging';
import { Controller } from '@nestjs/common';
import { advanceWatermark } from '../database/progress.repository';
import { DATA_GROUP } from '../known-views';
import { RecordArrivals } from '../use-cases/record-arrivals';

@Controller()
export class DataHandler {
  constructor(private readonly recordArrivals: RecordArrivals) {}

  /** Records are kept by partition and offset, and sums are exact: their order does not matter. */
  @OnEventBatch(events.DataArrived, { deadLetter: 'reorder-safe', group: DATA_GROUP })
  onData(arrived: ReceivedEvent<DataArrived>[], transaction: Transaction): Promise<Outcome[] | void> {
    return this.recordArrivals.run(arrived, transaction);
  }

  /** Stands behind the records that it speaks of, in their partition, so it is handled after them. */
  @OnEventBatch(events.WatermarkAdvanced, { deadLetter: 'reorder-safe', group: DATA_GROUP })
  async onWatermarks(advanced: ReceivedEvent<WatermarkAdvanced>[], transaction: Transaction): Promise<void> {
    const last = advanced.at(-1);
    if (last) await advanceWatermark(transaction, last.data.stream, last.partition, last.data.watermarkMicros);
  }
}
