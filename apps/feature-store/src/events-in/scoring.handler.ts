import { events } from '@headrace/contracts';
import type { ScoringRequested } from '@headrace/contracts/proto/registry/v1/registry_events';
import { OnEvent, type ReceivedEvent, type Transaction } from '@headrace/messaging';
import { Controller } from '@nestjs/common';
import { addScoringJob } from '../database/scoring-jobs.repository';

@Controller()
export class ScoringHandler {
  /** A group of its own: it reads the registry's topic, which has much that is not for the feature store. */
  @OnEvent(events.ScoringRequested, { deadLetter: 'reorder-safe', group: 'feature-store-scoring' })
  async onScoringRequested(event: ReceivedEvent<ScoringRequested>, transaction: Transaction): Promise<void> {
    await addScoringJob(transaction, event.data, event);
  }
}
