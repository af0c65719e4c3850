import { events } from '@headrace/contracts';
import type { DatasetVersionCommitted } from '@headrace/contracts/proto/ingestion/v1/ingestion_events';
import type { TrainingRequested } from '@headrace/contracts/proto/training/v1/training_events';
import { OnEvent, type ReceivedEvent, type Transaction } from '@headrace/messaging';
import { Controller } from '@nestjs/common';
import { addDatasetVersion, addJob } from '../database/jobs.repository';

/** A group of its own: training sets do not wait behind data. */
const GROUP = 'feature-store-training';

@Controller()
export class TrainingHandler {
  @OnEvent(events.TrainingRequested, { deadLetter: 'reorder-safe', group: GROUP })
  async onTrainingRequested(event: ReceivedEvent<TrainingRequested>, transaction: Transaction): Promise<void> {
    await addJob(transaction, event.data, event);
  }

  @OnEvent(events.DatasetVersionCommitted, { deadLetter: 'reorder-safe', group: GROUP })
  async onDatasetVersion(event: ReceivedEvent<DatasetVersionCommitted>, transaction: Transaction): Promise<void> {
    if (event.data.dataset) await addDatasetVersion(transaction, event.data.dataset);
  }
}
