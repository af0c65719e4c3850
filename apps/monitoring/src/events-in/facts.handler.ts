import { events } from '@headrace/contracts';
import type { DataArrived, WatermarkAdvanced } from '@headrace/contracts/proto/ingestion/v1/ingestion_events';
import { OnEventBatch, type Outcome, type ReceivedEvent, type Transaction } from '@headrace/messaging';
import { Controller } from '@nestjs/common';
import { advanceWatermark } from '../database/progress.repository';
import type { ServedPrediction } from '../domain/served-prediction';
import { RecordLabels } from '../use-cases/record-labels';
import { RecordPredictions } from '../use-cases/record-predictions';
import { WatchedMonitors } from '../watched-monitors';
import { servedPredictions } from './read-served-prediction';

const UNKNOWN: Outcome = { kind: 'transient', message: 'the definitions are not read to their end yet' };

/** What was predicted, what came true, and how far time has come: bulk events. */
@Controller()
export class FactsHandler {
  constructor(
    private readonly monitors: WatchedMonitors,
    private readonly recordPredictions: RecordPredictions,
    private readonly recordLabels: RecordLabels,
  ) {}

  @OnEventBatch(servedPredictions, { deadLetter: 'reorder-safe' })
  async onPredictions(served: ReceivedEvent<ServedPrediction>[], transaction: Transaction): Promise<Outcome[]> {
    if (!this.monitors.known) return served.map(() => UNKNOWN);
    return this.recordPredictions.run(served, transaction);
  }

  @OnEventBatch(events.DataArrived, { deadLetter: 'reorder-safe' })
  async onData(arrived: ReceivedEvent<DataArrived>[], transaction: Transaction): Promise<Outcome[] | void> {
    if (!this.monitors.known) return arrived.map(() => UNKNOWN);
    await this.recordLabels.run(arrived, transaction);
  }

  /** Stands behind the records that it speaks of, in their partition, so it is handled after them. */
  @OnEventBatch(events.WatermarkAdvanced, { deadLetter: 'reorder-safe' })
  async onWatermarks(advanced: ReceivedEvent<WatermarkAdvanced>[], transaction: Transaction): Promise<void> {
    const last = advanced.at(-1);
    if (!last) return;
    await advanceWatermark(transaction, last.data.stream, last.partition, last.data.watermarkMicros);
  }
}
