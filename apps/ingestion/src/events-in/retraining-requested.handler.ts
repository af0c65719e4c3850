import { events } from '@headrace/contracts';
import type { RetrainingRequested } from '@headrace/contracts/proto/monitoring/v1/monitoring_events';
import { OnEvent, type ReceivedEvent, type Transaction } from '@headrace/messaging';
import { Controller } from '@nestjs/common';
import { requestCommit } from '../database/commit-requests.repository';

/** Training on the newest data needs it in dataset versions: the committer makes them when it finds the request. */
@Controller()
export class RetrainingRequestedHandler {
  @OnEvent(events.RetrainingRequested, { deadLetter: 'reorder-safe' })
  async onRetrainingRequested(event: ReceivedEvent<RetrainingRequested>, transaction: Transaction): Promise<void> {
    await requestCommit(transaction, event.eventId);
  }
}
